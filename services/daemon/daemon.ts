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
import { checkDirectories } from './check-directories.ts';
import { StateDirectory } from './state-directory.ts';
import { MemoryRelease } from './memory.ts';
import type { Monitoring } from '../monitoring/monitoring.ts';
import { SystemdNotify } from './systemd-notify.ts';
import { Tracing } from './tracing.ts';

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
  private monitoring: Monitoring | undefined;
  private monitoringServer: Service | undefined;
  private phase: 'starting' | 'running' | 'stopping' = 'starting';

  constructor(options: DaemonOptions) {
    this.options = options;
  }

  /** Throws the first error that prevents the start. */
  async start(): Promise<void> {
    const { first = [], processes, log, flags } = this.options;
    const stateDirectory = new StateDirectory({ directory: flags.state_dir, node: flags.storage_name, processes });
    const startBlockStore = () => this.startBlockStore(stateDirectory.holder);
    const children: Service[] = [
      { name: 'directories', start: () => checkDirectories(flags, log), stop: async () => {} },
      stateDirectory,
      new Tracing(flags.tracing_module, log),
      { name: 'monitoring', start: () => this.startMonitoring(), stop: async () => this.monitoringServer?.stop() },
      ...first,
      { name: 'paused', start: () => this.resumePaused(), stop: async () => {} },
      { name: 'redis', start: () => this.connect(), stop: async () => this.connection?.close() },
      { name: 'block-store', start: startBlockStore, stop: async () => this.blockStore?.stop() },
      { name: 'api', start: () => this.startApi(), stop: async () => this.api?.stop() },
      new SystemdNotify(processes, log),
      new MemoryRelease(),
    ];
    for (const child of children) await this.tree.add(child);
    await this.tree.start();
    this.phase = 'running';
  }

  stop(): Promise<void> {
    this.phase = 'stopping';
    return this.tree.stop();
  }

  /** Before what it watches. Loaded on demand: most nodes have none. */
  private async startMonitoring(): Promise<void> {
    const { flags, log } = this.options;
    if (flags.metrics_listen.length + flags.api_listen.length === 0) return;
    const { Monitoring, MonitoringServer } = await import('../monitoring/load.ts');
    this.monitoring = new Monitoring(flags, () => ({
      phase: this.phase,
      store: this.store,
      figures: this.blockStore?.figures(),
    }));
    const server = new MonitoringServer(flags.metrics_listen, this.monitoring, log);
    await server.start();
    this.monitoringServer = server;
  }

  /** Hosts wait for volumes that an earlier daemon has paused: they must not wait for Redis as well. */
  private async resumePaused(): Promise<void> {
    for (const { driver } of this.options.backends) await driver.resumePaused?.();
  }

  private async connect(): Promise<void> {
    this.connection = await connect(this.options.flags, this.options.log);
  }

  private async startBlockStore(holder: string): Promise<void> {
    const { flags, backends, log, onFenced } = this.options;
    if (!this.connection) throw new Error('Redis is not connected');
    const metrics = this.monitoring?.metrics;
    const store = new Store(this.connection, flags.redis_prefix, {
      minReplicas: flags.redis_min_replicas,
      observe: metrics?.observeScript,
    });
    this.store = store;
    for (const { message, hint } of await persistenceProblems(store)) log.warn(message, { hint });
    const observe = metrics?.observeOperation;
    const blockStore = new BlockStore({ flags, holder, store, backends, log, onFenced, observe });
    await blockStore.start();
    this.blockStore = blockStore;
  }

  /** Loaded on demand: most nodes serve none. */
  private async startApi(): Promise<void> {
    const { flags, log, isApiOptional = false } = this.options;
    if (flags.api_listen.length === 0 || !this.store) return;
    const { Api } = await import('../api/api.ts');
    const { monitoring } = this;
    const api = new Api({ flags, store: this.store, log, isOptional: isApiOptional, monitoring });
    await api.start();
    this.api = api;
  }
}
