import { type BlockstoreError, asError, errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import { Caller } from '../../lib/client/caller.ts';
import { VolumeCommands } from '../../lib/client/volume-commands.ts';
import { Node } from '../../lib/models/node.ts';
import { Volume } from '../../lib/models/volume.ts';
import { type VolumeState, isTransitional } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Target } from '../../lib/targets/target.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';
import { version } from '../../lib/version.ts';
import { Adoption } from './adoption.ts';
import { Audit } from './audit.ts';
import type { Backend } from './backend.ts';
import { Consumer } from './consumer.ts';
import { NodeCommandService } from './node-commands.ts';
import { Numbers } from './numbers.ts';
import { Engine } from './operations/engine.ts';
import { dueOperation } from './operations/operations.ts';
import { Recovery } from './recovery.ts';
import type { EverySecond } from './every-second.ts';
import { Reporter } from './reporter.ts';
import { Room } from './room.ts';

export interface BlockStoreOptions {
  flags: Flags;
  /** Who holds the node's name. */
  holder: string;
  store: Store;
  backend: Backend;
  log: Log;
  /** Called once when another daemon has taken this node's name: this one must end. */
  onFenced?: (error: BlockstoreError) => void;
  /** What reports tick by, where time is simulated. */
  everySecond?: EverySecond;
}

/** How long the node API waits for its own node. */
const callDeadlineMs = 120_000;
/** Reports that the holder of a name misses when it is one of this machine before a reboot. */
const quietReports = 2.5;

/**
 * The service of a storage node: makes, exports, attaches, detaches and deletes the volumes of this node, and answers about
 * those of every node. A port of the 2010 BlockStore.
 */
export class BlockStore implements Service {
  readonly name = 'block-store';
  private readonly options: BlockStoreOptions;
  private readonly tree = new ServiceTree('block-store');
  private readonly commands: VolumeCommands;
  private readonly room: Room;
  private node: Node | undefined;
  private numbers: Numbers | undefined;
  private adoption: Adoption | undefined;
  private consumer: Consumer | undefined;
  private engine: Engine | undefined;
  private nodeCommands: NodeCommandService | undefined;
  private recovery: Recovery | undefined;
  private fenced = false;
  private readonly startTime = Date.now();

  constructor(options: BlockStoreOptions) {
    this.options = options;
    const { backend, flags, log } = options;
    this.room = new Room({ driver: backend.driver, patienceMs: flags.node_down_time * 250, log });
    this.commands = new VolumeCommands(options.store, new Caller(options.store), options.flags.volume_topic);
  }

  /** Checks what it stands on, takes the node's name, makes records and storage agree, then takes commands. */
  async start(): Promise<void> {
    const { flags, backend } = this.options;
    const children = [
      service(
        'backend',
        () => setUp(backend),
        () => closeBackend(backend),
      ),
      service(
        'node',
        () => this.enter(),
        () => this.leave(),
      ),
      this.every('heartbeat', () => this.reportState(), true),
      service(
        'adoption',
        () => this.adopt(),
        async () => {},
      ),
      this.every('upkeep', () => this.upkeep(), false),
      service(
        'engine',
        async () => {},
        async () => {
          this.recovery?.stop();
          await this.engine?.stop(flags.stop_timeout * 1000);
        },
      ),
      service(
        'node-commands',
        async () => this.nodeCommands?.start(),
        async () => this.nodeCommands?.stop(),
      ),
      service(
        'consumer',
        async () => this.consumer?.start(),
        async () => this.consumer?.stop(),
      ),
    ];
    for (const child of children) await this.tree.add(child);
    await this.tree.start();
  }

  /** What is under way ends or is left to the next start; exports go on. */
  async stop(): Promise<void> {
    await this.tree.stop();
  }

  /**
   * A volume of `size` GiB (0: 100 MiB) on this node. Returns its id once it is available. Throws InvalidSize, NoMoreVolumes,
   * NoSpace.
   */
  async createVolume(
    size: number,
    userId: string,
    projectId: string,
    more: { name?: string; id?: string } = {},
  ): Promise<string> {
    const node = this.options.flags.storage_name;
    const wanted = { size, userId, projectId, node, ...more };
    const { id } = await this.commands.create(wanted, { deadlineMs: callDeadlineMs });
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
    return Volume.records(this.options.store).lookup(id);
  }

  /** The volumes of the whole cluster, read page by page. */
  all(): AsyncGenerator<VolumeState> {
    return Volume.records(this.options.store).all();
  }

  /** The volumes of one node, this or another, read page by page. */
  byNode(node: string): AsyncGenerator<VolumeState> {
    return Volume.records(this.options.store).associatedTo('node', node);
  }

  /** Heartbeat, capacity, counts, version; then what is overdue is taken up again. */
  async reportState(): Promise<void> {
    const { flags, backend } = this.options;
    const { node, engine } = this;
    if (!node || !engine || this.fenced) return;
    const stats = await this.room.look();
    node.describe(
      {
        availabilityZone: flags.storage_availability_zone,
        version,
        driver: backend.driver.name,
        target: backend.target.name,
        totalBytes: stats.totalBytes,
        freeBytes: stats.acceptsCreates ? stats.freeBytes : 0, // so that creates are placed elsewhere
        startTime: this.startTime,
        problems: [...this.room.problems, ...nodeProblems(backend.target), ...(this.adoption?.problems ?? [])].join(
          '\n',
        ),
      },
      flags.report_interval * 1000,
    );
    await node.save();
    if (this.adoption?.isDone) await this.redrive(node.overdue, engine);
  }

  /** What would go wrong unnoticed: commands that another node left lying, exports that died, numbers that others use. */
  private async upkeep(): Promise<void> {
    const { adoption } = this;
    if (!adoption || this.fenced) return;
    await this.recovery?.catchUp();
    await this.consumer?.takeAbandoned();
    await adoption.revive();
    await this.numbers?.upkeep();
  }

  private async enter(): Promise<void> {
    const { flags, store, backend, log, holder } = this.options;
    this.node = await Node.enter(store, {
      name: flags.storage_name,
      holder,
      leaseMs: flags.node_down_time * 1000,
      quietMs: Math.min(flags.node_down_time * 1000, flags.report_interval * quietReports * 1000),
      topic: flags.volume_topic,
    });
    const availabilityZone = flags.storage_availability_zone;
    const shelves = {
      first: flags.first_shelf_id < 0 ? 1 : flags.first_shelf_id,
      last: flags.last_shelf_id < 0 ? 65_534 : flags.last_shelf_id,
      slots: flags.slots_per_shelf,
    };
    const shared = { store, node: this.node, log };
    const numbers = new Numbers({ ...shared, backend, slots: shelves.slots, firstShelf: shelves.first });
    const engine = new Engine({
      ...shared,
      backend,
      numbers,
      topic: flags.volume_topic,
      availabilityZone,
      shelves,
      tries: flags.num_shell_tries,
      shortBound: flags.max_operations,
      onFenced: () => void this.recovery?.regain(),
    });
    const adoptionOptions = { ...shared, backend, engine, numbers, shelves, availabilityZone };
    this.adoption = new Adoption(adoptionOptions);
    const audit = new Audit(adoptionOptions, this.adoption);
    const nodeCommands = new NodeCommandService({ store, audit, log });
    const consumer = new Consumer({
      store,
      engine,
      log,
      node: flags.storage_name,
      topic: flags.volume_topic,
      onTopicsLost: async () => this.recovery?.regain(),
      onNodeCommand: (command, message) => nodeCommands.submit(command, message),
    });
    const onFenced = (error: BlockstoreError) => this.lose(error);
    this.recovery = new Recovery({ ...shared, audit, consumer, numbers, onFenced });
    this.numbers = numbers;
    this.engine = engine;
    this.nodeCommands = nodeCommands;
    this.consumer = consumer;
  }

  private async adopt(): Promise<void> {
    const { adoption, engine } = this;
    if (!adoption) return;
    try {
      await adoption.adoptAll();
      await this.reportState();
    } catch (error) {
      await engine?.stop(0); // what was taken up already must not go on in a daemon that ends
      throw error;
    }
  }

  private async redrive(ids: readonly string[], engine: Engine): Promise<void> {
    for (const id of ids) {
      if (engine.isBusy(id)) continue;
      const state = await Volume.records(this.options.store).find(id);
      const operation = state && isTransitional(state) ? dueOperation(state) : undefined;
      if (state && operation) engine.redrive(state, operation);
    }
  }

  private every(name: string, report: () => Promise<void>, atOnce: boolean): Reporter {
    const { flags, log, everySecond } = this.options;
    const intervalS = flags.report_interval;
    const onFenced = () => void this.recovery?.regain();
    return new Reporter({ name, intervalS, report, atOnce, log, everySecond, onFenced });
  }

  private async leave(): Promise<void> {
    if (this.fenced) return;
    try {
      await this.node?.destroy();
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') return this.lose(error); // another daemon has the name: there is nothing to give back
      if (error.kind !== 'unavailable') throw error;
      this.options.log.warn(`the node is not shown as stopped, but as down once its time is over: ${error.message}`);
    }
  }

  private lose(error: BlockstoreError): void {
    if (this.fenced) return;
    this.fenced = true;
    this.options.log.error(error.message, { hint: error.hint });
    this.options.onFenced?.(error);
  }
}

/** What keeps every export of this node from running. */
function nodeProblems(target: Target): string[] {
  return target.problems().flatMap(({ id, error }) => (id === undefined ? [error.message] : []));
}

function service(name: string, start: () => Promise<void>, stop: () => Promise<void>): Service {
  return { name, start, stop };
}

/** A failed one leaves no helper process: it would keep the daemon from ending. */
async function setUp(backend: Backend): Promise<void> {
  try {
    await backend.driver.setup();
    await backend.target.setup();
  } catch (error) {
    await closeBackend(backend);
    throw error;
  }
}

async function closeBackend({ driver, target }: Backend): Promise<void> {
  await target.close();
  await driver.close();
}
