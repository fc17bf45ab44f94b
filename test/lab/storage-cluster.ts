import { z } from 'zod';
import { Hopeless, until } from '../until.ts';
import type { LabDaemon } from './daemon.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

const configFile = '/etc/blockstore/blockstore.conf';
export const stateDir = '/var/lib/blockstore';
export const group = 'nova-volumes';

const volumeSchema = z.object({
  id: z.string(),
  name: z.string().nullable(),
  size: z.number(),
  userId: z.string().nullable(),
  projectId: z.string().nullable(),
  node: z.string().nullable(),
  status: z.string(),
  attachStatus: z.string(),
  aoeDevice: z.string().nullable(),
  fault: z.object({ code: z.string(), message: z.string(), step: z.string().optional() }).nullable(),
  device: z.string().optional(),
});
export type ShownVolume = z.infer<typeof volumeSchema>;

const listSchema = z.object({ volumes: z.array(volumeSchema) });
const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string(), hint: z.string().nullable() }) });

/** How a command ended: what it printed, and the errors that it told. */
export interface CommandEnd {
  exitCode: number;
  output: string;
  errors: { code: string; message: string; hint: string | null }[];
}

export type ClusterFlags = Readonly<Record<string, string>>;

export interface ClusterOptions {
  nodes: number;
  /** The first so many of them have a daemon; default: all. */
  storageNodes?: number;
  flags?: ClusterFlags;
  diskGiB?: number;
  /** The daemons' state directories lie on disks of their own: they outlive a power loss. */
  keepState?: boolean;
}

/** Machines that run the real daemon on real LVM, vblade and Redis, and the real command line. */
export class StorageCluster {
  readonly lab: Lab;
  private readonly flags: ClusterFlags;
  private readonly keepState: boolean;
  private readonly daemons = new Map<number, LabDaemon>();
  private starts = 0;

  static async create(options: ClusterOptions): Promise<StorageCluster> {
    const { nodes, storageNodes = nodes, flags = {}, diskGiB = 20, keepState = false } = options;
    const lab = await Lab.create({ nodes, diskGiB });
    const cluster = new StorageCluster(lab, flags, keepState);
    try {
      const numbers = lab.nodes.map((_, index) => index + 1);
      for (const number of numbers) await cluster.prepare(number);
      await Promise.all(numbers.slice(0, storageNodes).map((number) => cluster.startDaemon(number)));
    } catch (error) {
      await lab.close();
      throw error;
    }
    return cluster;
  }

  private constructor(lab: Lab, flags: ClusterFlags, keepState: boolean) {
    this.lab = lab;
    this.flags = flags;
    this.keepState = keepState;
  }

  node(number: number): LabNode {
    return this.lab.node(number);
  }

  daemon(number: number): LabDaemon {
    const daemon = this.daemons.get(number);
    if (!daemon) throw new Error(`no daemon was started on node${number}`);
    return daemon;
  }

  async close(): Promise<void> {
    await this.lab.close();
  }

  /** Starts the daemon, `given` before the flags of the cluster, and waits until it is ready. */
  async startDaemon(number: number, given: ClusterFlags = {}): Promise<LabDaemon> {
    this.starts += 1;
    const script = `${this.configuration(number, given)}\nexec bin/blockstored`;
    const daemon = await this.node(number).start(`blockstored-${this.starts}`, script);
    this.daemons.set(number, daemon);
    await until(
      async () => {
        const log = await daemon.log();
        if (log.includes('is ready')) return true;
        if (await daemon.running()) return false;
        throw new Hopeless(`blockstored on node${number} has ended:\n${log}`);
      },
      `blockstored on node${number} is ready`,
      60_000,
    );
    return daemon;
  }

  /** Runs a daemon that is expected to end by itself. `by` is what starts it in place of the shell. */
  async failDaemon(number: number, given: ClusterFlags = {}, by = ''): Promise<{ exitCode: number; output: string }> {
    const { status, output } = await this.node(number).run(
      `(${this.configuration(number, given)}\nexec timeout 50 ${by} bin/blockstored)`,
    );
    return { exitCode: status, output };
  }

  /** `blockstore …` on a node; it must succeed. */
  async blockstore(number: number, command: string): Promise<string> {
    const end = await this.tryBlockstore(number, command);
    if (end.exitCode !== 0) throw new Error(`blockstore ${command}: exit code ${end.exitCode}: ${JSON.stringify(end)}`);
    return end.output;
  }

  async tryBlockstore(number: number, command: string): Promise<CommandEnd> {
    const { status, output } = await this.node(number).run(`said=$(mktemp)
BLOCKSTORE_CONFIG=${configFile} bin/blockstore --json ${command} 2>$said; status=$?
printf '\\n--- errors ---\\n'; cat $said; rm $said; exit $status`);
    const [printed = '', said = ''] = output.split('\n--- errors ---\n');
    const lines = said.split('\n').filter((line) => line.startsWith('{'));
    return {
      exitCode: status,
      output: printed,
      errors: lines.map((line) => errorSchema.parse(JSON.parse(line)).error),
    };
  }

  /** A command that prints a volume. */
  async volume(number: number, command: string): Promise<ShownVolume> {
    return volumeSchema.parse(JSON.parse(await this.blockstore(number, `volume ${command}`)));
  }

  async volumes(number: number, options = ''): Promise<ShownVolume[]> {
    return listSchema.parse(JSON.parse(await this.blockstore(number, `volume list ${options}`))).volumes;
  }

  /** Names of the logical volumes in the node's group. */
  async logicalVolumes(number: number): Promise<string[]> {
    return this.lines(number, `lvs --noheadings -o lv_name ${group}`);
  }

  /** "pid arguments" of each vblade of the node. */
  async vblades(number: number): Promise<string[]> {
    return this.lines(number, 'pgrep -a -x vblade || true');
  }

  /** Process ids of the vblades that serve an address. */
  async vbladesOf(number: number, aoeDevice: string | null): Promise<string[]> {
    const [shelf, slot] = (aoeDevice ?? '').slice(1).split('.');
    const lines = await this.vblades(number);
    return lines.filter((line) => line.includes(` ${shelf} ${slot} vec0 `)).map((line) => line.split(' ')[0] ?? '');
  }

  /** A node that was off: its root is as new. */
  async bootAgain(number: number): Promise<void> {
    await this.node(number).boot();
    await this.mountState(number);
  }

  private async lines(number: number, script: string): Promise<string[]> {
    const output = await this.node(number).sh(script);
    return output
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line !== '');
  }

  private async prepare(number: number): Promise<void> {
    await this.node(number).sh(this.configuration(number, {}));
    if (!this.keepState) return;
    const device = await this.node(number).addDisk(1);
    if (device !== '/dev/ubdb') throw new Error(`the second disk is ${device}`);
    await this.node(number).sh('mkfs.ext4 -q /dev/ubdb');
    await this.mountState(number);
  }

  private async mountState(number: number): Promise<void> {
    if (this.keepState) await this.node(number).sh(`mkdir -p ${stateDir} && mount /dev/ubdb ${stateDir}`);
  }

  /** A script that writes the configuration of daemon and command line, as an operator does. */
  private configuration(number: number, given: ClusterFlags): string {
    const flags: ClusterFlags = {
      storage_name: `node${number}`,
      volume_driver: 'lvm',
      storage_dev: '/dev/ubda',
      storage_create: 'true',
      volume_clear_mibps: '0',
      aoe_eth_dev: 'vec0',
      state_dir: stateDir,
      redis_url: this.lab.redisUrl,
      report_interval: '3',
      node_down_time: '30',
      log_format: 'human',
      ...this.flags,
      ...given,
    };
    const lines = Object.entries(flags).map(([name, value]) => `${name} = ${value}`);
    return `mkdir -p ${configFile.slice(0, configFile.lastIndexOf('/'))}
cat >${configFile} <<'END'
${lines.join('\n')}
END
export BLOCKSTORE_CONFIG=${configFile}`;
  }
}
