import { type BlockstoreError, asError, errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import type { MigrationTransport } from '../../lib/migration/transport.ts';
import { TlsTransport } from '../../lib/migration/tls-transport.ts';
import { migrationAddress } from '../../lib/migration/address.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';
import { type Backend, Backends } from './backends.ts';
import type { EverySecond } from './every-second.ts';
import type { ObserveOperation } from './engine/operation-outcome.ts';
import type { NodeFigures } from './figures.ts';
import { NodeLease } from './lease.ts';
import { StorageNode } from './storage-node.ts';

export interface BlockStoreOptions {
  flags: Flags;
  /** The holder of the node's name, as formatHolder() has it. */
  holder: string;
  store: Store;
  backends: readonly Backend[];
  log: Log;
  /** Called once when another daemon has taken this node's name: this one must end. */
  onFenced?: (error: BlockstoreError) => void;
  /** What reports tick by, where time is simulated. */
  everySecond?: EverySecond;
  /** Called with the end of each operation. */
  observe?: ObserveOperation | undefined;
  /** How the data of migrations go from node to node; default: over TCP. */
  transport?: MigrationTransport;
}

/** How long the node API waits for its own node. */
const callDeadlineMs = 120_000;
/** Reports that the holder of a name misses when it is one of this machine before a reboot. */
const quietReports = 2.5;

/**
 * The service of a storage node: creates, exports, attaches, detaches and deletes the volumes of this node, and answers about
 * those of every node. A port of the 2010 BlockStore.
 */
export class BlockStore implements Service {
  readonly name = 'block-store';
  private readonly options: BlockStoreOptions;
  private readonly tree = new ServiceTree('block-store');
  private readonly commands: VolumeCommands;
  private node: StorageNode | undefined;

  constructor(options: BlockStoreOptions) {
    this.options = options;
    const { store, flags } = options;
    this.commands = new VolumeCommands(store, new RequestClient(store), flags.volume_topic);
  }

  /** Checks the prerequisites, acquires the node's name, makes records and storage agree, then carries out commands. */
  async start(): Promise<void> {
    const backends = new Backends(this.options.backends, this.options.log);
    const children: Service[] = [
      { name: 'backends', start: () => backends.setup(), stop: () => backends.close() },
      {
        name: 'node',
        start: () => this.startNode(backends),
        stop: async () => this.node?.stop(),
      },
    ];
    for (const child of children) await this.tree.add(child);
    await this.tree.start();
  }

  /** What is under way ends or is resumed at the next start; exports continue. */
  async stop(): Promise<void> {
    await this.tree.stop();
  }

  /**
   * Creates a volume of `size` GiB (0: 100 MiB) on this node. Returns its id once it is available. Throws InvalidSize, NoMoreVolumes,
   * NoSpace.
   */
  async createVolume(
    size: number,
    userId: string,
    projectId: string,
    more: { name?: string; id?: string } = {},
  ): Promise<string> {
    const node = this.options.flags.storage_name;
    const request = { size, userId, projectId, node, ...more };
    const { id } = await this.commands.create(request, { deadlineMs: callDeadlineMs });
    return id;
  }

  /** Throws VolumeNotFound, VolumeAttached, NotLocal for a volume of another node. */
  async deleteVolume(id: string): Promise<void> {
    const { node } = await this.getVolume(id);
    const here = this.options.flags.storage_name;
    if (node !== here) throw errors.notLocal(id, node, here);
    await this.commands.delete(id, { deadlineMs: callDeadlineMs });
  }

  /** Throws VolumeNotFound. */
  getVolume(id: string): Promise<VolumeState> {
    return volumesOf(this.options.store).lookup(id);
  }

  /** The volumes of the whole cluster, read page by page. */
  all(): AsyncGenerator<VolumeState> {
    const { store } = this.options;
    return volumesOf(store).iterate(store.keys.volumes());
  }

  /** Reports at once, besides the periodic reports. */
  async reportState(): Promise<void> {
    await this.node?.reportState();
  }

  /** Undefined until the start has ended. */
  figures(): NodeFigures | undefined {
    return this.node?.figures();
  }

  private async startNode(backends: Backends): Promise<void> {
    const { flags, holder, store, log, onFenced = () => {}, everySecond } = this.options;
    const heartbeatStore = await store.onOwnConnection('heartbeats');
    const lease = await NodeLease.acquire(heartbeatStore, {
      node: flags.storage_name,
      holder,
      leaseMs: flags.node_down_time * 1000,
      quietMs: Math.min(flags.node_down_time * 1000, flags.report_interval * quietReports * 1000),
    });
    const transport = this.options.transport ?? tcpTransport(this.options);
    const node = new StorageNode({
      flags,
      store,
      heartbeatStore,
      lease,
      backends,
      log,
      onFenced,
      everySecond,
      observe: this.options.observe,
      transport,
    });
    try {
      await node.start();
      this.node = node;
    } catch (error) {
      // The next start must not wait for the lease to expire.
      await lease.release().catch((second: unknown) => {
        log.debug('the lease could not be released', { reason: asError(second).message });
      });
      throw error;
    }
  }
}

function tcpTransport({ flags, store, log }: BlockStoreOptions): MigrationTransport {
  const { migration_ip_address: address, migration_port: port, migration_rate: rate } = flags;
  return new TlsTransport({
    processes: new ChildProcesses(),
    log,
    address: () => (address === '' ? migrationAddress(store.redis) : address),
    port,
    bytesPerS: rate * 2 ** 20,
  });
}
