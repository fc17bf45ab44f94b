import { parseAddress } from '../../lib/aoe/address.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import { type AttachedVolume, withAttachment } from '../../lib/models/attachment.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { until } from '../support/until.ts';
import { CommandLine } from './command-line.ts';
import type { LabDaemon } from './daemon.ts';
import { Lab } from './lab.ts';
import { type LabNode, SilentMachine } from './node.ts';
import type { LabSentinels } from './sentinels.ts';

export const stateDir = '/var/lib/blockstore';
export const group = 'nova-volumes';
export const configFile = '/etc/blockstore/blockstore.conf';

/** As on the command line: a flag of one of enabled_backends is `backend.flag`. */
export type ClusterFlags = Readonly<Record<string, string>>;

export interface ClusterOptions {
  nodes: number;
  /** Number of nodes, from the first, that run the daemon; default: all. */
  storageNodes?: number;
  flags?: ClusterFlags;
  diskGiB?: number;
  /** Of each machine. */
  memory?: string;
  /** State directories are on separate disks and survive a power loss. */
  keepState?: boolean;
  /** Redis has a replica, and a change is acknowledged once both have it. */
  sentinels?: boolean;
  /** A daemon that exits is restarted, as with systemd. */
  restarts?: boolean;
}

/** Machines with the real daemon on real LVM, vblade and Redis, and the real command line. */
export class StorageCluster {
  readonly lab: Lab;
  readonly sentinels: LabSentinels | undefined;
  /** The lab's Redis, for the test. */
  readonly store: Store;
  /** Commands to the nodes, sent by the test itself. */
  readonly commands: VolumeCommands;
  private readonly flags: ClusterFlags;
  private readonly daemons = new Map<number, LabDaemon>();
  private readonly restarts: boolean;
  private starts = 0;

  /** A second time where a machine falls silent meanwhile. */
  static async create(options: ClusterOptions): Promise<StorageCluster> {
    try {
      return await StorageCluster.createOnce(options);
    } catch (error) {
      if (!(error instanceof SilentMachine)) throw error;
      console.error(`a machine of the lab fell silent, and another lab is made: ${error.message}`);
      return StorageCluster.createOnce(options);
    }
  }

  private static async createOnce(options: ClusterOptions): Promise<StorageCluster> {
    const { nodes, storageNodes = nodes, diskGiB = 20, memory = '512M', keepState = false } = options;
    const lab = await Lab.create({ nodes, diskGiB, memory });
    let store: Store | undefined;
    try {
      const sentinels = options.sentinels ? await lab.addSentinels() : undefined;
      const flags = { redis_url: lab.redisUrl, ...sentinels?.flags, ...options.flags };
      const url = `unix:${sentinels?.socket ?? lab.redisSocket}`;
      const { flags: own } = loadFlags({
        embedded: { redis_url: url, redis_min_replicas: flags.redis_min_replicas ?? '0' },
      });
      store = new Store(await connect(own, silentLog), own.redis_prefix, { minReplicas: own.redis_min_replicas });
      const cluster = new StorageCluster(lab, store, flags, { sentinels, restarts: options.restarts ?? false });
      const numbers = lab.nodes.map((_, index) => index + 1);
      await Promise.all(
        numbers.map(async (number) => {
          if (keepState) await cluster.makeStateDisk(number);
          if (number <= storageNodes) await cluster.startDaemon(number);
          else await cluster.node(number).sh(cluster.configuration(number));
        }),
      );
      return cluster;
    } catch (error) {
      await store?.connection.close(); // it would be made again for ever
      await lab.close();
      throw error;
    }
  }

  private constructor(
    lab: Lab,
    store: Store,
    flags: ClusterFlags,
    { sentinels, restarts }: { sentinels: LabSentinels | undefined; restarts: boolean },
  ) {
    this.lab = lab;
    this.sentinels = sentinels;
    this.restarts = restarts;
    this.store = store;
    this.commands = new VolumeCommands(store, new RequestClient(store), 'volume');
    this.flags = flags;
  }

  async close(): Promise<void> {
    await this.store.connection.close();
    await this.lab.close();
  }

  node(number: number): LabNode {
    return this.lab.node(number);
  }

  /** The command line on a node. */
  on(number: number): CommandLine {
    return new CommandLine(this.node(number), configFile);
  }

  daemon(number: number): LabDaemon {
    const daemon = this.daemons.get(number);
    if (!daemon) throw new Error(`no daemon was started on node${number}`);
    return daemon;
  }

  /** Starts the daemon, with `given` in place of the cluster's flags, and waits until it is ready. */
  async startDaemon(number: number, given: ClusterFlags = {}, patienceMs = 300_000): Promise<LabDaemon> {
    this.starts += 1;
    const run = this.restarts ? 'while :; do blockstored; sleep 1; done' : 'exec blockstored';
    const script = `${this.configuration(number, given)}\n${run}`;
    const daemon = await this.node(number).start(`blockstored-${this.starts}`, script);
    this.daemons.set(number, daemon);
    if (!(await daemon.says('is ready', patienceMs))) {
      throw new Error(`blockstored on node${number} is not ready:\n${await daemon.log()}`);
    }
    return daemon;
  }

  /** Runs a daemon that is expected to exit; `by` is a command that starts it with other rights. */
  async failDaemon(number: number, given: ClusterFlags = {}, by = ''): Promise<{ exitCode: number; output: string }> {
    const script = `${this.configuration(number, given)}\nexec timeout 150 ${by} blockstored`;
    const { status, output } = await this.node(number).run(`(${script})`);
    return { exitCode: status, output };
  }

  /** Returns every record, or those of one node. */
  async records(number?: number): Promise<VolumeState[]> {
    const { keys } = this.store;
    const index = number === undefined ? keys.volumes() : keys.nodeVolumes(`node${number}`);
    return Array.fromAsync(volumesOf(this.store).iterate(index));
  }

  /** With its first attachment. */
  async record(id: string): Promise<AttachedVolume> {
    const volume = await volumesOf(this.store).lookup(id);
    return withAttachment(this.store, volume, volume.attachments[0] ?? '');
  }

  /** Resolves once no node has an operation under way. */
  async settled(): Promise<void> {
    await until(async () => !(await this.records()).some(isTransitional), 'nothing is under way');
  }

  /** Returns the names of the logical volumes in the node's group. */
  async logicalVolumes(number: number): Promise<string[]> {
    return this.lines(number, `lvs --noheadings -o lv_name ${group}`);
  }

  /** Returns "pid arguments" of each vblade on the node. */
  async vblades(number: number): Promise<string[]> {
    return this.lines(number, 'pgrep -a -x vblade || true');
  }

  /** Returns the process id of the only vblade of a volume. */
  async vbladeOf(number: number, id: string): Promise<string> {
    const [line = '', ...others] = (await this.vblades(number)).filter((row) => row.endsWith(`/volume-${id}`));
    if (line === '' || others.length > 0) throw new Error(`not one vblade: ${[line, ...others].join('; ')}`);
    return line.split(' ')[0] ?? '';
  }

  /** Returns the differences between records, storage and exports of a node, a line each. */
  async differences(number: number): Promise<string[]> {
    const served = (await this.records(number)).filter(({ status }) => status !== 'error');
    const names = served.map(({ id }) => `volume-${id}`);
    const isExported = this.flags['export_unattached'] === 'true';
    const exports = served
      .filter(({ attachStatus }) => isExported || attachStatus === 'attached')
      .map(({ id, address }) => `${numbersOf(address)} vec0 /dev/${group}/volume-${id}`);
    const running = (await this.vblades(number)).map((line) => line.split(' ').slice(-4).join(' '));
    return [
      ...compared('logical volume', names, await this.logicalVolumes(number)),
      ...compared('vblade', exports, running),
    ];
  }

  /** Prepares a node that was off: its root is new, its disks are unchanged. */
  async bootAgain(number: number): Promise<void> {
    await this.node(number).boot();
    await this.mountState(number);
    await this.node(number).sh(this.configuration(number));
  }

  private async makeStateDisk(number: number): Promise<void> {
    const device = await this.node(number).addDisk(1);
    await this.node(number).sh(`mkfs.ext4 -q ${device}`);
    await this.mountState(number);
  }

  private async mountState(number: number): Promise<void> {
    await this.node(number).sh(`mkdir -p ${stateDir} && mount /dev/ubdb ${stateDir}`);
  }

  private async lines(number: number, script: string): Promise<string[]> {
    const rows = (await this.node(number).sh(script)).split('\n');
    return rows.map((row) => row.trim()).filter((row) => row !== '');
  }

  /** Returns a script that writes the configuration of daemon and command line. */
  private configuration(number: number, given: ClusterFlags = {}): string {
    const flags: ClusterFlags = {
      storage_name: `node${number}`,
      volume_driver: 'lvm',
      storage_dev: '/dev/ubda',
      storage_create: 'true',
      volume_clear_mibps: '0',
      aoe_eth_dev: 'vec0',
      state_dir: stateDir,
      log_format: 'human',
      ...this.flags,
      ...given,
    };
    return `mkdir -p /etc/blockstore
cat >${configFile} <<'END'
${inSections(flags)}
END
export BLOCKSTORE_CONFIG=${configFile}`;
  }
}

/** Returns the text of a configuration file. The flags outside sections are first. */
function inSections(flags: ClusterFlags): string {
  const parts = Object.entries(flags).map(([name, value]) => {
    const [flag = '', section = ''] = name.split('.').toReversed();
    return { section, line: `${flag} = ${value}` };
  });
  const sections = [...Map.groupBy(parts, ({ section }) => section)];
  return sections
    .map(([name, lines]) => `${name === '' ? '' : `[${name}]`}\n${lines.map(({ line }) => line).join('\n')}`)
    .join('\n');
}

/** Shelf and slot as vblade has them. */
function numbersOf(address: string): string {
  const { shelf, slot } = parseAddress(address);
  return `${shelf} ${slot}`;
}

function compared(kind: string, expected: readonly string[], there: readonly string[]): string[] {
  const missing = without(expected, there).map((name) => `no ${kind} ${name}`);
  return missing.concat(without(there, expected).map((name) => `one ${kind} too many: ${name}`));
}

/** Returns `those` without `these`, with multiplicity. */
function without(those: readonly string[], these: readonly string[]): string[] {
  const left = [...these];
  return those.filter((name) => {
    const at = left.indexOf(name);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}
