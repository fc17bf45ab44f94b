import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { NodeCommands } from '../../lib/client/node-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { NoneTarget } from '../../lib/targets/none/target.ts';
import type { Backend } from '../../services/node/backends.ts';
import { BlockStore, type BlockStoreOptions } from '../../services/node/block-store.ts';
import { RedisServer } from './redis-server.ts';

type Cleaner = () => Promise<void>;

/** Any Redis that runs: the flags to reach it by. */
interface RunningRedis {
  readonly flags: Partial<Record<keyof Flags, string>>;
  stop(): Promise<void>;
}

/** Nodes in this process over a Redis of their own. `close` leaves nothing behind. */
export class Cluster<Redis extends RunningRedis = RedisServer> {
  readonly server: Redis;
  readonly directory: string;
  private readonly cleaners: Cleaner[] = [];

  private constructor(server: Redis, directory: string) {
    this.server = server;
    this.directory = directory;
  }

  static async start(): Promise<Cluster> {
    return Cluster.over(await RedisServer.start());
  }

  static async over<Redis extends RunningRedis>(server: Redis): Promise<Cluster<Redis>> {
    return new Cluster(server, await mkdtemp(join(tmpdir(), 'blockstore-nodes-')));
  }

  flags(given: Partial<Record<keyof Flags, string>> = {}): Flags {
    return loadFlags({
      embedded: {
        fake_storage: 'true',
        volume_driver: 'fake',
        volume_target: 'none',
        ...this.server.flags,
        report_interval: '1',
        node_down_time: '3',
        state_dir: join(this.directory, given.storage_name ?? 'client'),
        ...given,
      },
    }).flags;
  }

  /** `by`: who asks for its changes. */
  async store(flags = this.flags(), by = ''): Promise<Store> {
    const connection = await connect(flags, silentLog);
    this.cleaners.push(() => connection.close());
    return new Store(connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas, by });
  }

  /** A started node; `given` are its flags; `store`, `log` and `onFenced` replace its own. */
  async node(
    storage_name: string,
    given: Partial<Record<keyof Flags, string>> = {},
    backend: Partial<Backend> | readonly Partial<Backend>[] = {},
    options: Partial<BlockStoreOptions> = {},
  ): Promise<BlockStore> {
    const flags = this.flags({ storage_name, ...given });
    const backends = [backend]
      .flat()
      .map((one) => Object.assign({ name: 'fake', driver: new FakeDriver(), target: new NoneTarget() }, one));
    const node = new BlockStore({
      flags,
      holder: `daemon on ${flags.state_dir}`,
      store: options.store ?? (await this.store(flags)),
      backends,
      log: silentLog,
      ...options,
    });
    await node.start();
    this.cleaners.push(() => node.stop());
    return node;
  }

  async commands(given: Partial<Record<keyof Flags, string>> = {}): Promise<VolumeCommands> {
    const store = await this.store(this.flags(given));
    return new VolumeCommands(store, new RequestClient(store), 'volume');
  }

  async nodeCommands(): Promise<NodeCommands> {
    const store = await this.store();
    return new NodeCommands(store, new RequestClient(store), 'volume');
  }

  async close(): Promise<void> {
    for (const clean of this.cleaners.toReversed()) await clean();
    await this.server.stop();
    await rm(this.directory, { recursive: true, force: true });
  }
}
