import { isIPv6 } from 'node:net';
import type { Portal } from '../../lib/iscsi/address.ts';
import { until } from '../support/until.ts';
import type { LabDaemon } from './daemon.ts';
import { becomeInitiator, startIscsid } from './initiator.ts';
import type { LabNode } from './node.ts';
import { runScript } from './script.ts';
import { StorageCluster, stateDir } from './storage-cluster.ts';

/** What serves the volumes. */
export type Server = keyof typeof targets;

/** Scripts that print a line for each target of a server. */
const targets = {
  'iscsi-tgt': `TGT_IPC_SOCKET=${stateDir}/iscsi/tgtd.sock tgtadm --lld iscsi --op show --mode target | grep ^Target`,
  'iscsi-lio': 'ls -d /sys/kernel/config/target/iscsi/iqn*',
};

export const patienceMs = 120_000;
/** After that the I/O of the second machine fails. */
const replacementSeconds = 2;

/** A machine that serves logical volumes over iSCSI, and two hosts with open-iscsi and the kernel's initiator: 2 and 3. */
export class IscsiLab {
  readonly cluster: StorageCluster;
  private readonly server: Server;

  /** With an IPv6 portal each machine has the address `<network>::1<number>`, until it is restarted. */
  static async create(server: Server, { ip, port }: Portal = { ip: '10.77.0.11', port: 3260 }): Promise<IscsiLab> {
    const cluster = await StorageCluster.create({
      nodes: 3,
      storageNodes: 0,
      keepState: true,
      flags: { volume_target: server, iscsi_ip_address: ip, iscsi_port: String(port) },
    });
    const lab = new IscsiLab(cluster, server);
    if (isIPv6(ip)) await Promise.all([1, 2, 3].map((number) => lab.addIPv6(number, ip)));
    await Promise.all([cluster.startDaemon(1), ...[2, 3].map((number) => lab.becomeInitiator(number))]);
    return lab;
  }

  private constructor(cluster: StorageCluster, server: Server) {
    this.cluster = cluster;
    this.server = server;
  }

  async close(): Promise<void> {
    await this.cluster.close();
  }

  get storage(): LabNode {
    return this.cluster.node(1);
  }

  host(number: number): LabNode {
    return this.cluster.node(number);
  }

  /** The name of a host's initiator. */
  nameOf(number: number): string {
    return `iqn.2010-10.org.openstack:host${number}`;
  }

  async rebootStorage(): Promise<void> {
    await this.storage.powerOff();
    await this.cluster.bootAgain(1);
  }

  async rebootHost(number: number): Promise<void> {
    await this.host(number).powerOff();
    await this.bootHost(number);
  }

  /** Boots a host that is off; `records` are those that iscsiadm had there before, as savedRecords() returns them. */
  async bootHost(number: number, records?: string): Promise<void> {
    await this.cluster.bootAgain(number);
    if (records !== undefined) {
      await this.host(number).sh(`mkdir -p /etc/iscsi && echo ${records} | base64 -d | tar -C /etc/iscsi -xz`);
    }
    await this.becomeInitiator(number);
  }

  /** What the disk of a host would keep: here its root is in memory. */
  savedRecords(number: number): Promise<string> {
    return this.host(number).sh('tar -C /etc/iscsi -cz nodes | base64 -w0');
  }

  async startIscsid(number: number): Promise<void> {
    await startIscsid(this.host(number));
  }

  /** Returns the device of a volume that is attached to a host now. */
  async attached(number: number, name: string, options = ''): Promise<string> {
    const { device = '' } = await this.cluster.on(number).volume(`attach ${name} --host-device ${options}`);
    return device;
  }

  /** What a host has of iSCSI: one word for each session, and each record. */
  remains(number: number): Promise<string> {
    return this.host(number).sh('(ls /sys/class/iscsi_session; ls -A /etc/iscsi/nodes) 2>/dev/null | xargs');
  }

  /** Calls a method of a host's connector with the address of the volume; `options` are TypeScript. */
  async connector(number: number, verb: string, id: string, options: object): Promise<string> {
    const { address } = await this.cluster.record(id);
    return runScript(
      this.host(number),
      `import { IscsiConnector } from './lib/connectors/iscsi.ts';
      const connector = new IscsiConnector(context);`,
      `return await connector.${verb}('${address}', ${JSON.stringify(options)});`,
    );
  }

  async connect(number: number, id: string, secret?: string): Promise<string> {
    const { chap } = await this.cluster.record(id);
    const options = { id, chap: chap && { ...chap, secret: secret ?? chap.secret }, timeoutMs: 20_000 };
    return this.connector(number, 'connect', id, options);
  }

  /** How many targets the storage machine has. */
  async countTargets(): Promise<number> {
    return Number(await this.storage.sh(`${targets[this.server]} | wc -l`));
  }

  /** A process that writes its count to the first 64 KiB of a device, each time to the disk. */
  async startWriter(number: number, device: string): Promise<CountingWriter> {
    const writer = await this.host(number).start(`writer${number}`, `exec perl -e '${program}' ${device}`);
    if (!(await writer.says('written', patienceMs))) throw new Error(await writer.log());
    return new CountingWriter(writer, this.host(number), device);
  }

  private async addIPv6(number: number, portal: string): Promise<void> {
    const network = portal.slice(0, portal.indexOf('::'));
    await this.host(number).sh(`modprobe -q ipv6; ip -6 addr add ${network}::${10 + number}/64 dev vec0 nodad`);
  }

  private async becomeInitiator(number: number): Promise<void> {
    // The other host has the settings of the distribution.
    const limit = `node.session.timeo.replacement_timeout = ${replacementSeconds}`;
    const settings =
      number === 2 ? `sed -i 's/^node.session.timeo.replacement_timeout.*/${limit}/' /etc/iscsi/iscsid.conf` : ':';
    await becomeInitiator(this.host(number), this.nameOf(number), settings);
  }
}

/** Prints every twentieth count once it is on the disk, and when a write fails. */
const program = String.raw`use Fcntl; sysopen my $device, $ARGV[0], O_RDWR | O_DSYNC or die "open: $!";
$| = 1;
for my $number (1 .. 1e9) {
  sysseek $device, 0, 0;
  unless (syswrite $device, sprintf("%08d", $number) x 8192) { print "failed: $!
"; sleep 1000 }
  print "written $number
" if $number % 20 == 1;
}`;

export class CountingWriter {
  readonly process: LabDaemon;
  private readonly host: LabNode;
  private readonly device: string;

  constructor(process: LabDaemon, host: LabNode, device: string) {
    this.process = process;
    this.host = host;
    this.device = device;
  }

  /** The last count that is printed. Throws where a write has failed. */
  async count(): Promise<number> {
    const log = await this.process.log();
    if (log.includes('failed')) throw new Error(log.slice(-200));
    return Number(/written (\d+)\n$/.exec(log)?.[1] ?? 0);
  }

  /** Resolves when more is written. */
  async goesOn(): Promise<void> {
    const before = await this.count();
    await until(async () => (await this.count()) > before + 40, 'the host goes on', patienceMs);
  }

  /** Ends the writer; what it has printed must be on the device. */
  async end(): Promise<void> {
    await this.goesOn();
    await this.process.kill();
    const [count, stored] = [await this.count(), await storedCount(this.host, this.device)];
    if (stored < count) throw new Error(`${count} was acknowledged, ${stored} is on the device`);
  }
}

/** The count that a device has. */
export async function storedCount(host: LabNode, device: string): Promise<number> {
  return Number(await host.sh(`dd if=${device} bs=4096 count=1 iflag=direct status=none | head -c 8`));
}
