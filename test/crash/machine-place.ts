import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import type { LabDaemon } from '../lab/daemon.ts';
import { Lab } from '../lab/lab.ts';
import type { LabNode } from '../lab/node.ts';
import { until } from '../support/until.ts';
import { Copies } from './copies.ts';
import { crashable } from './crashable.ts';
import { type MachineExports, MachineVblades } from './machine-exports.ts';
import { machineStores, other, pairFlags, stores } from './machine-stores.ts';
import type { Place, Sight } from './place.ts';
import { type Plan, planFile, planSignal, planVariable, pointsIn, traceFile } from './plan.ts';

const group = 'nova-volumes';
const disk = '/dev/ubda';
const stateDir = '/var/lib/blockstore';
const directory = '/run/crash';
const units = '/etc/systemd/system';
const readyMs = 300_000;
const lookScript = `[ ! -d ${other} ] || find ${other} -maxdepth 1 -type f -printf 'other %f %s\\n'
lvs --noheadings --units b --nosuffix --separator ' ' -o lv_name,lv_size,lv_active,lv_tags ${group}
perl ${join(import.meta.dirname, 'read-machine.pl')} ${stateDir} ${planVariable}`;

interface Options {
  systemd?: boolean;
  /** Of the driver, beside the usual ones. */
  flags?: Readonly<Record<string, string>>;
  exports?: MachineExports;
  /** Whether there is a second backend, of the driver file, with stores of images and backups. */
  isPair?: boolean;
}

/** A daemon on LVM on a lab machine, with AoE if nothing else is given. With systemd as process 1, exports over AoE are units. */
export class MachinePlace implements Place {
  readonly node = 'crash';
  readonly hosts: readonly string[];
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly snapshots: SnapshotCommands;
  readonly nodeCommands: NodeCommands;
  readonly copies: Copies | undefined;
  private readonly lab: Lab;
  private readonly machine: LabNode;
  private readonly flags: Options['flags'];
  private readonly exports: MachineExports;
  private daemon: LabDaemon | undefined;
  private starts = 0;

  static async create(options: Options = {}): Promise<MachinePlace> {
    const { systemd = false } = options;
    const lab = await Lab.create({ nodes: 1, systemd });
    try {
      const { flags } = loadFlags({ embedded: { redis_url: `unix:${lab.redisSocket}` } });
      const place = new MachinePlace(lab, new Store(await connect(flags, silentLog), flags.redis_prefix), options);
      await place.machine.sh(`mkdir -p ${directory}`);
      if (systemd) await place.machine.sh(`cp etc/blockstore-vblade*.service ${units} && systemctl daemon-reload`);
      return place;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  private constructor(lab: Lab, store: Store, { flags = {}, exports = new MachineVblades(), isPair = false }: Options) {
    this.lab = lab;
    this.flags = { ...exports.flags, ...flags, ...(isPair ? pairFlags : {}) };
    this.exports = exports;
    this.hosts = [exports.host];
    this.machine = lab.node(1);
    if (isPair)
      this.copies = new Copies(
        this.node,
        machineStores({ machine: this.machine, group, stateDir }, join(tmpdir(), `blockstore-crash-${randomUUID()}`)),
      );
    this.store = store;
    const client = new RequestClient(store);
    this.commands = new VolumeCommands(store, client, 'volume');
    this.snapshots = new SnapshotCommands(store, client, 'volume');
    this.nodeCommands = new NodeCommands(store, client, 'volume');
  }

  async running(): Promise<boolean> {
    return (await this.daemon?.running()) ?? false;
  }

  async start(plan?: Plan): Promise<void> {
    this.starts += 1;
    const flags = {
      storage_name: this.node,
      volume_driver: 'lvm',
      storage_dev: disk,
      storage_create: 'true',
      volume_group: group,
      volume_clear_mibps: '0',
      slots_per_shelf: '16',
      address_quarantine: '0', // hundreds of volumes come and go
      state_dir: stateDir,
      redis_url: this.lab.redisUrl,
      report_interval: '2',
      node_down_time: '3600',
      log_format: 'human',
      log_level: 'debug',
      ...this.flags,
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const script = `${plan ? writePlan(plan) : `rm -f ${directory}/${planFile}`}
export ${planVariable}=${directory}
exec ${await crashable()} --config /dev/null ${words.join(' ')}`;
    const daemon = await this.machine.start(`blockstored-${this.starts}`, script);
    this.daemon = daemon;
    if (await daemon.says('is ready', readyMs)) return;
    if (!plan || (await daemon.running())) throw new Error(`not ready:\n${await daemon.log()}`);
  }

  async arm(plan: Plan): Promise<void> {
    const pid = this.daemon?.pid;
    await this.machine.sh(
      `rm -f ${directory}/${traceFile}; ${writePlan(plan)}; kill -${planSignal.slice(3)} ${pid} || true`,
    );
    await until(
      async () => pointsIn(await this.trace().catch(() => '')) ?? !(await this.daemon?.running()),
      'the daemon counts',
      readyMs,
    );
  }

  async trace(): Promise<string> {
    return this.machine.readFile(`${directory}/${traceFile}`);
  }

  async ended(): Promise<void> {
    await this.daemon?.ended(readyMs);
  }

  async kill(): Promise<void> {
    await this.daemon?.kill();
  }

  async look(): Promise<Sight> {
    const rows = (await this.machine.sh(lookScript)).split('\n').map((row) => row.trim());
    const of = (kind: string) =>
      rows.filter((row) => row.startsWith(`${kind} `)).map((row) => row.slice(kind.length + 1).split(' '));
    const volumes = rows.filter((row) => row.startsWith('volume-'));
    const files = of('other').filter(([name = '']) => /^volume-[0-9a-f-]{36}$/.test(name));
    const exports = this.exports.list(rows);
    const records = await Array.fromAsync(volumesOf(this.store).iterate(this.store.keys.volumes()));
    return {
      storage: {
        node: this.node,
        volumes: [
          ...volumes.map((row) => {
            const [name = '', size] = row.split(' ');
            const address = /blockstore:address=(e[\d.]+)/.exec(row)?.[1];
            return { id: name.slice(-36), sizeBytes: Number(size), labels: address === undefined ? {} : { address } };
          }),
          ...files.map(([name = '', size]) => ({ id: name.slice(-36), sizeBytes: Number(size), labels: {} })),
        ],
        exports: exports.map(({ found }) => found),
      },
      exporters: new Map(exports.map(({ found, identity }) => [found.id ?? '', identity])),
      lines: [
        ...volumes,
        ...((await this.copies?.lines()) ?? []),
        ...this.exports.lines(rows, (id) => records.find((record) => record.id === id)?.chap),
        ...of('other').map(([name]) => `file other/${name}`),
        ...of('file').map((words) => `file ${words.join(' ')}`),
        ...of('process').flatMap(([name, pid, parent]) =>
          [pid, parent].includes(String(this.daemon?.pid)) || name === '(vblade)' ? [] : [`process ${name}`],
        ),
      ],
    };
  }

  async breakExport(id: string): Promise<void> {
    await this.machine.sh(this.exports.break(id));
  }

  async breakStorage(id: string): Promise<void> {
    // The daemon can export it again meanwhile.
    const remove = `lvremove -qy ${group}/volume-${id}`;
    await this.machine.sh(
      `for try in 1 2 3 4 5; do ${this.exports.remove(id)}\n${remove} && exit; sleep 0.2; done; exit 1`,
    );
  }

  async reset(): Promise<void> {
    await this.kill();
    await this.machine.sh(`${this.exports.removeAll()}
for name in blkdiscard lvm
do pkill -KILL -x $name; while pgrep -x $name >/dev/null; do sleep 0.1; done
done
! vgs ${group} 2>/dev/null || vgremove -qy ${group} || exit
wipefs -qa ${disk}
rm -rf ${stateDir} ${other} ${stores}`);
    await this.store.redis.flushall();
  }

  async log(): Promise<string> {
    return (await this.daemon?.log()) ?? '';
  }

  async close(): Promise<void> {
    if (this.lab.node(1).isOn) await this.copies?.clear();
    await this.store.connection.close();
    await this.lab.close();
  }
}

function writePlan(plan: Plan): string {
  return `echo ${Buffer.from(JSON.stringify(plan)).toString('base64')} | base64 -d >${directory}/${planFile}`;
}
