import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { execa } from 'execa';
import { freePort } from './free-port.ts';
import { until } from './until.ts';

const commands = ['ceph-mon', 'ceph-osd', 'ceph-authtool', 'monmaptool', 'ceph', 'rbd', 'rados'];

/** Why no manager can run here; undefined where one can. */
export const withoutManager = existsSync('/usr/bin/ceph-mgr') ? undefined : 'needs ceph-mgr';

/** Why no cluster can run here; undefined where one can. */
export const withoutCeph = commands.every((command) => existsSync(`/usr/bin/${command}`))
  ? undefined
  : 'needs ceph-mon, ceph-osd and ceph-common';

interface CephPlace {
  address: string;
  /** A network namespace; '' = that of this process. */
  namespace: string;
}

/** What a manager starts besides: none is needed for its figures, and each takes memory and time. */
const managerModules =
  'balancer,crash,devicehealth,iostat,nfs,orchestrator,pg_autoscaler,progress,rbd_support,restful,status,telemetry,volumes';

type DaemonName = 'mon' | 'osd' | 'mgr';

interface Daemon {
  kill(): void;
  ended: Promise<unknown>;
}

/**
 * A Ceph cluster of one monitor and one OSD, which keeps its data in memory, with cephx. Until `startManager` it has no manager: `ceph df`
 * gives no figures. It starts in about two seconds; several can run at once.
 */
export class CephCluster {
  readonly fsid: string;
  /** Of client.admin. */
  readonly conf: string;
  /** Port of the monitor for the old protocol; the new one has the port before it. */
  readonly port: number;
  /** Short: the paths of sockets are limited. */
  readonly directory: string;
  private readonly address: string;
  /** Of the network; '' = that of this process. */
  private readonly namespace: string;
  private readonly daemons = new Map<DaemonName, Daemon>();

  private constructor(directory: string, port: number, { address, namespace }: CephPlace) {
    this.address = address;
    this.namespace = namespace;
    this.fsid = randomUUID();
    this.directory = directory;
    this.port = port + 1;
    this.conf = path.join(directory, 'ceph.conf');
  }

  static async create(place: CephPlace = { address: '127.0.0.1', namespace: '' }): Promise<CephCluster> {
    const cluster = new CephCluster(await mkdtemp('/tmp/ceph-'), await freePort(), place);
    try {
      await cluster.make();
    } catch (error) {
      await cluster.remove();
      throw error;
    }
    return cluster;
  }

  /** As client.admin. Returns standard output. */
  async run(command: 'ceph' | 'rbd' | 'rados', args: readonly string[]): Promise<string> {
    const [file, all] = this.inside(command, ['--conf', this.conf, ...args]);
    return (await execa(file, all, { timeout: 120_000 })).stdout;
  }

  async createPool(name: string): Promise<void> {
    await this.run('ceph', ['osd', 'pool', 'create', name, '1', '1']);
  }

  /** Makes it anew where it has images: the dead clients of some would delay their removal for half a minute. */
  async emptyPool(name: string): Promise<void> {
    if ((await this.run('rbd', ['--pool', name, 'ls'])) === '') return;
    await this.run('ceph', ['osd', 'pool', 'rm', name, name, '--yes-i-really-really-mean-it']);
    await this.createPool(name);
  }

  /** Returns the configuration file with which that user connects. */
  async createUser(name: string, capabilities: readonly string[]): Promise<string> {
    const keyring = path.join(this.directory, `${name}.keyring`);
    await this.run('ceph', ['auth', 'get-or-create', `client.${name}`, ...capabilities, '-o', keyring]);
    return this.confWith(name, (text) => text.replace(/^keyring=.*$/m, `keyring=${keyring}`));
  }

  /** Returns a changed copy of the configuration file. */
  async confWith(name: string, change: (text: string) => string): Promise<string> {
    const file = path.join(this.directory, `${name}.conf`);
    await writeFile(file, change(await readFile(this.conf, 'utf8')));
    return file;
  }

  /** Waits until `ceph df` has figures. */
  async startManager(): Promise<void> {
    const data = path.join(this.directory, 'mgr');
    await mkdir(data);
    const rights = ['mon', 'allow profile mgr', 'osd', 'allow *'];
    await this.run('ceph', ['auth', 'get-or-create', 'mgr.a', ...rights, '-o', path.join(data, 'keyring')]);
    this.start('mgr');
    await until(async () => / [1-9]\S* GiB /.test(await this.run('ceph', ['df'])), 'the manager reports');
  }

  async kill(name: DaemonName): Promise<void> {
    const daemon = this.daemons.get(name);
    daemon?.kill();
    await daemon?.ended;
  }

  start(name: DaemonName): void {
    const args = ['-f', '-i', name === 'osd' ? '0' : 'a'];
    const env = { CEPH_CONF: this.conf };
    const child = execa(...this.inside(`ceph-${name}`, args), { env, reject: false, stdio: 'ignore' });
    this.daemons.set(name, { kill: () => child.kill('SIGKILL'), ended: child });
  }

  async remove(): Promise<void> {
    await this.kill('mgr');
    await this.kill('osd');
    await this.kill('mon');
    await rm(this.directory, { recursive: true, force: true });
  }

  private async make(): Promise<void> {
    const { conf, directory, fsid } = this;
    const keyring = path.join(directory, 'keyring');
    await writeFile(conf, this.configuration(keyring));
    const env = { CEPH_CONF: conf };
    const tool = (command: string, ...args: string[]) =>
      execa(...this.inside(command, args), { env, timeout: 120_000 });
    await tool('ceph-authtool', '-C', keyring, '--gen-key', '-n', 'mon.', '--cap', 'mon', 'allow *');
    const all = ['--cap', 'mon', 'allow *', '--cap', 'osd', 'allow *', '--cap', 'mgr', 'allow *'];
    await tool('ceph-authtool', keyring, '--gen-key', '-n', 'client.admin', ...all);
    const osd = ['--cap', 'mon', 'allow profile osd', '--cap', 'osd', 'allow *'];
    await tool('ceph-authtool', keyring, '--gen-key', '-n', 'osd.0', ...osd);
    const map = path.join(directory, 'monmap');
    await tool('monmaptool', '--create', '--fsid', fsid, '--addv', 'a', this.addresses, map);
    await tool('ceph-mon', '-i', 'a', '--mkfs', '--monmap', map, '--keyring', keyring);
    this.start('mon');
    const id = randomUUID();
    await mkdir(path.join(directory, 'osd'));
    await this.run('ceph', ['osd', 'new', id, '0']);
    await tool('ceph-osd', '-i', '0', '--mkfs', '--osd-uuid', id);
    this.start('osd');
    await until(async () => /\b1 up\b/.test(await this.run('ceph', ['osd', 'stat'])), 'the OSD is up');
  }

  private inside(command: string, args: readonly string[]): [string, readonly string[]] {
    return this.namespace === '' ? [command, args] : ['ip', ['netns', 'exec', this.namespace, command, ...args]];
  }

  private get addresses(): string {
    return `[v2:${this.address}:${this.port - 1}/0,v1:${this.address}:${this.port}/0]`;
  }

  private configuration(keyring: string): string {
    const { address, directory, fsid, port } = this;
    return `[global]
fsid=${fsid}
mon host=${this.addresses}
public addr=${address}
cluster addr=${address}
ms bind port min=${port + 9}
ms bind port max=${port + 59}
auth cluster required=cephx
auth service required=cephx
auth client required=cephx
keyring=${keyring}
run dir=${directory}
crash dir=${directory}
log to file=false
osd pool default size=1
mon allow pool size one=true
mon allow pool delete=true
mon warn on pool no redundancy=false
mon data avail warn=1
mon data avail crit=1
mon max pg per osd=1000
osd crush chooseleaf type=0
paxos propose interval=0.05
paxos min wait=0.01
[mon]
mon data=${directory}/mon
[osd]
osd data=${directory}/osd
osd objectstore=memstore
memstore device bytes=2147483648
[mgr]
mgr data=${directory}/mgr
keyring=${directory}/mgr/keyring
mgr disabled modules=${managerModules}
`;
  }
}
