import { randomInt } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import type { Backend } from '../../services/node/backends.ts';
import { volumeSpec } from '../../services/node/specs.ts';
import { makeBackends } from '../../services/daemon/make-backends.ts';
import { Blockstored } from '../support/blockstored.ts';
import { removeAccessFilter } from '../support/access-filter.ts';
import { RedisServer } from '../support/redis-server.ts';
import { Hopeless, until } from '../support/until.ts';
import { Copies } from './copies.ts';
import { crashable } from './crashable.ts';
import { type HostExports, hostExports } from './host-exports.ts';
import { hostStores, pairFlags } from './host-stores.ts';
import type { Place, Sight } from './place.ts';
import { type Plan, planFile, planSignal, planVariable, pointsIn, traceFile } from './plan.ts';

const node = 'crash';
const readyMs = 300_000;

type FlagValues = Readonly<Record<string, string>>;

/** Storage that is not in the directory of the place. */
export interface Elsewhere {
  /** Removes all volumes. */
  clear: () => Promise<void>;
  close: () => Promise<void>;
  /** Where driver and target keep for a while what they have read: the storage as it is now. */
  view?: StorageView;
}

export interface StorageView {
  volumes: () => Promise<FoundVolume[]>;
  exports: HostExports;
  /** All that the storage has, a line each. */
  lines: () => string[];
}

const nothingElsewhere: Elsewhere = { clear: async () => {}, close: async () => {} };

/** A daemon on this machine, with all its files in one directory. */
export class HostPlace implements Place {
  readonly node = node;
  readonly hosts: readonly string[];
  readonly store: Store;
  readonly commands: VolumeCommands;
  readonly snapshots: SnapshotCommands;
  readonly nodeCommands: NodeCommands;
  private readonly server: RedisServer;
  private readonly root: string;
  private readonly flags: FlagValues;
  readonly copies: Copies | undefined;
  private readonly backend: Backend;
  private readonly others: readonly Backend[];
  private readonly elsewhere: Elsewhere;
  /** Undefined where nothing is exported. */
  private readonly exports: HostExports | undefined;
  private daemon: Blockstored | undefined;

  /** `given` are the flags that make the backend; `isPair`: there are two of the same kind, and stores. */
  static async create(
    given: FlagValues,
    { elsewhere = nothingElsewhere, isPair = false }: { elsewhere?: Elsewhere; isPair?: boolean } = {},
  ): Promise<HostPlace> {
    const server = await RedisServer.start();
    const { flags } = loadFlags({ embedded: { redis_url: server.url } });
    const store = new Store(await connect(flags, silentLog), flags.redis_prefix);
    const root = await mkdtemp(join(tmpdir(), 'blockstore-crash-'));
    const own = { ...flagsOf(server, root, given), ...(isPair ? pairFlags(root) : {}) };
    const context = { processes: new ChildProcesses(), log: silentLog };
    const argv = Object.entries(own).map(([name, value]) => `--${name}=${value}`);
    const made = await makeBackends(loadFlags({ argv }).backends, context);
    return new HostPlace(server, store, root, own, made, elsewhere);
  }

  private constructor(
    server: RedisServer,
    store: Store,
    root: string,
    flags: FlagValues,
    [backend, ...others]: readonly [Backend, ...Backend[]],
    elsewhere: Elsewhere,
  ) {
    this.server = server;
    this.store = store;
    const client = new RequestClient(store);
    this.commands = new VolumeCommands(store, client, 'volume');
    this.snapshots = new SnapshotCommands(store, client, 'volume');
    this.nodeCommands = new NodeCommands(store, client, 'volume');
    this.root = root;
    this.flags = flags;
    this.backend = backend;
    this.others = others;
    if (others.length > 0) this.copies = new Copies(node, hostStores(root));
    this.elsewhere = elsewhere;
    const isIscsi = ['own', 'storage'].includes(backend.target.addressing);
    this.hosts = [isIscsi ? 'iqn.1993-08.org.debian:01:crash' : '52:54:00:77:00:01'];
    this.exports = elsewhere.view?.exports ?? hostExports(backend.target, root, Number(flags['iscsi_port'] ?? 0));
  }

  running(): Promise<boolean> {
    return Promise.resolve(this.daemon !== undefined && !this.daemon.hasEnded);
  }

  async start(plan?: Plan): Promise<void> {
    await mkdir(this.root, { recursive: true });
    if (plan) await writeFile(join(this.root, planFile), JSON.stringify(plan));
    else await rm(join(this.root, planFile), { force: true });
    const daemon = Blockstored.begin(this.flags, { [planVariable]: this.root }, await crashable());
    this.daemon = daemon;
    await until(
      () => {
        if (!daemon.hasEnded) return daemon.log.includes('is ready');
        if (plan) return true;
        throw new Hopeless(daemon.log);
      },
      'blockstored is ready',
      readyMs,
    );
  }

  async arm(plan: Plan): Promise<void> {
    const { daemon } = this;
    await rm(join(this.root, traceFile), { force: true });
    await writeFile(join(this.root, planFile), JSON.stringify(plan));
    daemon?.signal(planSignal);
    await until(async () => daemon?.hasEnded || pointsIn(await this.trace()), 'the daemon counts', readyMs);
  }

  trace(): Promise<string> {
    return readFile(join(this.root, traceFile), 'utf8');
  }

  async ended(): Promise<void> {
    await this.daemon?.ended();
  }

  async kill(): Promise<void> {
    await this.daemon?.kill();
  }

  async look(): Promise<Sight> {
    const { driver } = this.backend;
    const { view } = this.elsewhere;
    if (driver.name === 'rbd') await driver.setup(); // forgets what it has read: the daemon's driver changes it
    const isThere = driver.name !== 'file' || existsSync(join(this.root, 'volumes'));
    const own = isThere ? await (view?.volumes() ?? driver.listVolumes()) : [];
    const volumes = [...own, ...(isThere ? await this.volumesOfOthers() : [])];
    const snapshots = isThere && !view ? await driver.snapshots?.listSnapshots() : undefined;
    const exports = await this.exports?.list();
    const files = await Promise.all(['state', 'volumes', 'other'].map((folder) => this.files(folder)));
    return {
      storage: {
        node,
        volumes,
        ...(snapshots ? { snapshots } : {}),
        ...(exports ? { exports: exports.map(({ found }) => found) } : {}),
      },
      exporters: new Map(exports?.map(({ id, pid }) => [id, String(pid)])),
      lines: [
        ...volumes.map((volume) => `volume ${JSON.stringify(volume)}`),
        ...(snapshots ?? []).map((snapshot) => `stored snapshot ${JSON.stringify(snapshot)}`),
        ...(exports ?? []).map(({ line }) => `export ${line}`),
        ...(view?.lines() ?? []),
        ...((await this.copies?.lines()) ?? []),
        ...files.flat().map((file) => `file ${file}`),
        ...(await this.strays()).map(({ name }) => `process ${name}`),
      ],
    };
  }

  async breakExport(id: string): Promise<void> {
    await this.exports?.break(id);
  }

  async breakStorage(id: string): Promise<void> {
    await this.backend.driver.deleteVolume(volumeSpec(await volumesOf(this.store).lookup(id)));
    await this.breakExport(id); // only now: nobody can export it again
  }

  async reset(): Promise<void> {
    await this.kill();
    const strays = (await this.strays()).map(({ pid }) => pid);
    const left = [...((await this.exports?.pids()) ?? []), ...strays];
    for (const pid of left) process.kill(pid, 'SIGKILL');
    await until(() => !left.some((pid) => existsSync(`/proc/${pid}`)), 'what the daemon left behind is gone');
    await removeAccessFilter(join(this.root, 'state', 'exports'));
    await rm(this.root, { recursive: true, force: true });
    await this.elsewhere.clear();
    await this.store.redis.flushall();
  }

  log(): Promise<string> {
    return Promise.resolve(this.daemon?.log ?? '');
  }

  async close(): Promise<void> {
    await this.reset();
    await this.store.connection.close();
    await this.server.stop();
    await this.elsewhere.close();
  }

  private async volumesOfOthers(): Promise<FoundVolume[]> {
    return (await Promise.all(this.others.map(({ driver }) => driver.listVolumes()))).flat();
  }

  private async files(folder: string): Promise<string[]> {
    const path = join(this.root, folder);
    const entries = existsSync(path) ? await readdir(path, { recursive: true }) : [];
    return entries.map((name) => join(folder, name));
  }

  /** Returns the helper processes of a dead daemon. */
  private async strays(): Promise<{ pid: number; name: string }[]> {
    const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
    const found = await Promise.all(
      pids.map(async (pid) => {
        const read = (file: string) => readFile(`/proc/${pid}/${file}`, 'utf8').catch(() => '');
        if (!(await read('environ')).includes(`${planVariable}=${this.root}\0`)) return [];
        const [, name = '', parent = ''] = /\((.*)\) . (\d+) /s.exec(await read('stat')) ?? [];
        const belongs = [pid, parent].includes(String(this.daemon?.pid));
        return belongs || name === 'vblade' || name === '' ? [] : [{ pid: Number(pid), name }];
      }),
    );
    return found.flat();
  }
}

function flagsOf(server: RedisServer, root: string, given: FlagValues): FlagValues {
  return {
    storage_name: node,
    redis_url: server.url,
    report_interval: '1',
    node_down_time: '600',
    // A separate one, so that vblades of other tests are not visible.
    first_shelf_id: String(randomInt(1, 65_000)),
    slots_per_shelf: '16',
    // Hundreds of volumes come and go.
    address_quarantine: '0',
    state_dir: join(root, 'state'),
    volume_pool_dir: join(root, 'volumes'),
    log_format: 'human',
    log_level: 'debug',
    ...given,
  };
}
