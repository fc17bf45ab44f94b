import type { Flags } from '../../lib/flags/definitions.ts';
import type { BlockstoreError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Processes } from '../../lib/process.ts';
import { type Connection, connect } from '../../lib/redis/connection.ts';
import { persistenceProblems } from '../../lib/redis/persistence.ts';
import { Store } from '../../lib/redis/store.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';
import type { Backend } from '../node/backends.ts';
import { BlockStore } from '../node/block-store.ts';
import { StateDirectory } from './state-directory.ts';
import { SystemdNotify } from './systemd-notify.ts';

export interface DaemonOptions {
  flags: Flags;
  backends: readonly Backend[];
  processes: Processes;
  log: Log;
  /** Services that start before all others. */
  first?: readonly Service[];
  /** A node whose API has no address goes on. */
  isApiOptional?: boolean;
  onFenced: (error: BlockstoreError) => void;
}

/** The services of one blockstored process. */
export class Daemon implements Service {
  readonly name = 'blockstored';
  private readonly options: DaemonOptions;
  private readonly tree = new ServiceTree('blockstored');
  private connection: Connection | undefined;
  private store: Store | undefined;
  private blockStore: BlockStore | undefined;
  private api: Service | undefined;

  constructor(options: DaemonOptions) {
    this.options = options;
  }

  /** Throws the first error that prevents the start. */
  async start(): Promise<void> {
    const { first = [], processes, log, flags } = this.options;
    const stateDirectory = new StateDirectory({ directory: flags.state_dir, node: flags.storage_name, processes });
    const startBlockStore = () => this.startBlockStore(stateDirectory.holder);
    const children: Service[] = [
      stateDirectory,
      ...first,
      { name: 'redis', start: () => this.connect(), stop: async () => this.connection?.close() },
      { name: 'block-store', start: startBlockStore, stop: async () => this.blockStore?.stop() },
      { name: 'api', start: () => this.startApi(), stop: async () => this.api?.stop() },
      new SystemdNotify(processes, log),
    ];
    for (const child of children) await this.tree.add(child);
    await this.tree.start();
  }

  stop(): Promise<void> {
    return this.tree.stop();
  }

  private async connect(): Promise<void> {
    this.connection = await connect(this.options.flags, this.options.log);
  }

  private async startBlockStore(holder: string): Promise<void> {
    const { flags, backends, log, onFenced } = this.options;
    if (!this.connection) throw new Error('Redis is not connected');
    const store = new Store(this.connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas });
    for (const { message, hint } of await persistenceProblems(store)) log.warn(message, { hint });
    const blockStore = new BlockStore({ flags, holder, store, backends, log, onFenced });
    await blockStore.start();
    this.blockStore = blockStore;
    this.store = store;
  }

  /** Loaded on demand: most nodes serve none. */
  private async startApi(): Promise<void> {
    const { flags, log, isApiOptional = false } = this.options;
    if (flags.api_listen.length === 0 || !this.store) return;
    const { Api } = await import('../api/api.ts');
    const api = new Api({ flags, store: this.store, log, isOptional: isApiOptional });
    await api.start();
    this.api = api;
  }
}
