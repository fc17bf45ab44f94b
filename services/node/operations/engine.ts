import { KeyedMutex, Semaphore } from '../../../lib/concurrency.ts';
import { BlockstoreError, type Fault, asError, errors } from '../../../lib/errors.ts';
import type { Log } from '../../../lib/log.ts';
import { type Command, type MessagePlace, askerOf } from '../../../lib/client/command.ts';
import type { Node } from '../../../lib/models/node.ts';
import type { TransitionName } from '../../../lib/models/transitions.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { type ChangeOptions, Volume } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Backend } from '../backend.ts';
import type { Numbers } from '../numbers.ts';
import type { Operation, Step, StepContext } from './operation.ts';
import { operations } from './operations.ts';
import { ProgressWriter } from './progress.ts';
import { untilDone } from './retry.ts';

export interface EngineOptions {
  store: Store;
  node: Node;
  backend: Backend;
  numbers: Numbers;
  log: Log;
  topic: string;
  availabilityZone: string;
  shelves: { first: number; last: number; slots: number };
  tries: number;
  shortBound: number;
  /** Called once when another daemon has taken this node's name. */
  onFenced: (error: BlockstoreError) => void;
}

const longBound = 8;
const passedCodes = new Set(['WrongStatus', 'VolumeNotFound', 'NotLocal']);

/** A command with where it came from; `again` when an earlier run may have done part of it. */
export interface Task {
  command: Command;
  message?: MessagePlace;
  again: boolean;
}

/**
 * Carries out operations: takes the volume's turn, walks the steps, ends in one guarded transition. After a crash the same
 * steps are walked again from the record.
 */
export class Engine {
  private readonly options: EngineOptions;
  private readonly mutex = new KeyedMutex();
  private readonly lanes: Readonly<Record<Operation['lane'], Semaphore>>;
  private readonly stopping = new AbortController();
  private readonly running = new Set<Promise<void>>();
  private readonly busy = new Map<string, number>();
  /** Entries of topics that are carried out, or wait here. */
  private readonly atHand = new Set<string>();

  constructor(options: EngineOptions) {
    this.options = options;
    this.lanes = { short: new Semaphore(options.shortBound), long: new Semaphore(longBound) };
  }

  /** How many more commands may be fetched. */
  get freeSlots(): number {
    return this.lanes.short.freeSlots;
  }

  /** Whether an operation on the volume goes on or waits here. */
  isBusy(id: string): boolean {
    return this.busy.has(id);
  }

  /** Begins; the end shows in the record. A command that is fetched a second time while it is at hand is passed over. */
  submit(task: Task): void {
    const { id, operation } = task.command;
    const place = task.message && `${task.message.topic} ${task.message.entry}`;
    if (place !== undefined && this.atHand.has(place)) return;
    if (place !== undefined) this.atHand.add(place);
    this.busy.set(id, (this.busy.get(id) ?? 0) + 1);
    const work = this.mutex
      .run(id, () => this.lanes[operations[operation].lane].run(() => this.carryOut(task)))
      .catch((error: unknown) => this.complain(task, asError(error)))
      .finally(() => {
        this.running.delete(work);
        if (place !== undefined) this.atHand.delete(place);
        const others = (this.busy.get(id) ?? 1) - 1;
        if (others === 0) this.busy.delete(id);
        else this.busy.set(id, others);
      });
    this.running.add(work);
  }

  /** Volumes on which an operation goes on or waits here. */
  get busyIds(): Iterable<string> {
    return this.busy.keys();
  }

  /** Other work on a volume, in its turn. */
  inTurn<T>(id: string, work: () => Promise<T>): Promise<T> {
    return this.mutex.run(id, work);
  }

  /** Waits for what is under way; what has not ended by then is left to the next start. */
  async stop(limitMs: number): Promise<void> {
    const limit = setTimeout(() => this.stopping.abort(), limitMs);
    await Promise.allSettled(this.running);
    clearTimeout(limit);
    this.stopping.abort();
  }

  private async carryOut(task: Task): Promise<void> {
    if (this.stopping.signal.aborted) return;
    const operation = operations[task.command.operation];
    const volume = await this.retry(`${operation.name} of ${task.command.id}`, () => this.begin(operation, task));
    if (!volume) return;
    const walk = () => this.walkAll(operation, volume, task);
    // A deletion takes no number into use; its storage and export tell of it as long as they are there.
    await (operation.name === 'delete' ? walk() : this.options.numbers.whileAtWork(volume.state, walk));
  }

  private async walkAll(operation: Operation, volume: Volume, task: Task): Promise<void> {
    const { store, backend, log } = this.options;
    const { connection } = store;
    const { count } = connection;
    // Redis may have lost that the number is this volume's, and another node may have it by now.
    const isDoubtful = () => operation.name === 'create' && (connection.isAway || connection.count !== count);
    const progress = new ProgressWriter((percent) => this.writeProgress(volume, percent));
    const context: StepContext = {
      volume: volume.state,
      backend,
      madeStorage: false,
      signal: this.stopping.signal,
      progress: (percent) => progress.set(percent),
    };
    let step: Step | undefined;
    const fields: Record<string, string> = {};
    try {
      for (step of operation.steps) {
        if (isDoubtful()) break;
        Object.assign(fields, await this.walk(step, context, task.again));
      }
    } catch (thrown) {
      await progress.end();
      const error = asError(thrown);
      if (this.stopping.signal.aborted || error.code === 'Fenced') throw error;
      return this.fail(volume, operation, task, error, step, context);
    }
    await progress.end();
    if (isDoubtful()) return this.carryOut({ ...task, again: true });
    await this.end(volume, operation.finish, task, { set: fields });
    log.debug(`${operation.name} done`, { volume: volume.identifier });
  }

  /** The record as the operation finds it, or undefined when there is nothing to do. */
  private async begin(operation: Operation, task: Task): Promise<Volume | undefined> {
    const { store, node } = this.options;
    const { id } = task.command;
    if (operation.name === 'create') return this.claim(task);
    try {
      const volume = await Volume.lookup(store, id);
      if (operation.isDue(volume.state) && volume.state.node === node.identifier) {
        await store.replicated(); // a primary that was replaced asks for what no other one knows of
        return volume;
      }
      await this.settle(task, volume.state.fault);
    } catch (error) {
      if (!(error instanceof BlockstoreError) || error.code !== 'VolumeNotFound') throw error;
      await this.settle(task, operation.name === 'delete' ? undefined : error.toFault());
    }
    return undefined;
  }

  private async claim(task: Task): Promise<Volume | undefined> {
    const { store, node, backend, numbers, shelves, availabilityZone } = this.options;
    const { message, command } = task;
    const { id } = command;
    await numbers.known();
    const claim = { backend: backend.name, availabilityZone, ...shelves, message, kept: numbers.areKept };
    const answer = await store.run('claim', node.identifier, node.owner.fence, id, JSON.stringify(claim));
    switch (answer[0]) {
      case 'ok':
        return Volume.of(store, Volume.inAnswer(id, answer));
      case 'Fenced':
        throw errors.fenced(node.identifier);
      case 'NoMoreVolumes':
        await this.refuse(task, errors.noMoreVolumes(`node ${node.identifier}`));
        return undefined;
      case 'VolumeNotFound':
        await this.settle(task, errors.volumeNotFound(id).toFault());
        return undefined;
      case 'NotLocal': // the node that has it answers
        return undefined;
      default:
        await this.settle(task, (await Volume.records(store).find(id))?.fault);
        return undefined;
    }
  }

  /** Another node may have room; where none is left, the creation ends. */
  private async refuse(task: Task, error: BlockstoreError): Promise<void> {
    const { store, node, topic, log } = this.options;
    const { command, message } = task;
    const refusal = {
      topic,
      command,
      pinned: command.pinned ?? false,
      message,
      answer: askerOf(command),
      fault: error.toFault(),
    };
    const answer = await store.run('refuse', node.identifier, node.owner.fence, command.id, JSON.stringify(refusal));
    if (answer[0] === 'Fenced') throw errors.fenced(node.identifier);
    log.info(`no room for volume ${command.id}`, { reason: error.message, outcome: answer.slice(1).join(' ') });
  }

  /** Nothing was to be done: the message goes, whoever waits learns how the volume is. */
  private async settle(task: Task, fault?: Fault): Promise<void> {
    const answer = askerOf(task.command);
    const { message } = task;
    if (!answer && !message) return;
    await this.options.store.run('change', task.command.id, JSON.stringify({ message, answer, fault }));
  }

  private async walk(step: Step, context: StepContext, again: boolean): Promise<Record<string, string>> {
    if (again && (await step.isDone?.(context))) return {};
    return (await this.retry(`step ${step.name} of ${context.volume.id}`, () => step.run(context))) ?? {};
  }

  private async fail(
    volume: Volume,
    operation: Operation,
    task: Task,
    error: BlockstoreError,
    step: Step | undefined,
    context: StepContext,
  ): Promise<void> {
    const left = await this.undo(operation, context);
    if (error.code === 'NoSpace' && operation.name === 'create' && !left) {
      await this.retry(`refusal of ${volume.identifier}`, () => this.refuse(task, error));
      return;
    }
    this.complain(task, error);
    const transition = left ? (operation.failKept ?? operation.fail) : operation.fail;
    const told = left?.code === 'StorageKept' ? left : error;
    await this.end(volume, transition, task, { fault: told.toFault(step?.name) });
  }

  /** Why something that the operation took is left, or undefined. */
  private async undo(operation: Operation, context: StepContext): Promise<BlockstoreError | undefined> {
    try {
      for (const step of operation.undo) await this.walk(step, context, false);
      return undefined;
    } catch (thrown) {
      const error = asError(thrown);
      this.options.log.error(`${operation.name} of volume ${context.volume.id} could not be undone`, {
        reason: error.message,
      });
      return error;
    }
  }

  private async end(volume: Volume, transition: TransitionName, task: Task, more: ChangeOptions): Promise<void> {
    const options = {
      owner: this.options.node.owner,
      message: task.message,
      answer: askerOf(task.command),
      ...more,
    };
    try {
      await this.retry(`${transition} of ${volume.identifier}`, () => volume.change(transition, options));
    } catch (error) {
      // The answer to an earlier attempt was lost, not the attempt: the record is past this already.
      if (!(error instanceof BlockstoreError) || !passedCodes.has(error.code)) throw error;
      this.options.log.debug(`${transition} of ${volume.identifier} was done before`, { code: error.code });
    }
  }

  private async writeProgress(volume: Volume, percent: number): Promise<void> {
    try {
      await volume.change('progress', { owner: this.options.node.owner, set: { progress: String(percent) } });
    } catch (error) {
      // Progress is a courtesy: what stands in its way is met, and told, by the operation itself.
      this.options.log.debug('progress not written', { volume: volume.identifier, reason: asError(error).message });
    }
  }

  private retry<T>(what: string, work: () => Promise<T>): Promise<T> {
    const { tries, log } = this.options;
    return untilDone(work, { tries, log, what, signal: this.stopping.signal });
  }

  private complain({ command }: Task, error: BlockstoreError): void {
    if (error.code === 'Fenced') return this.options.onFenced(error);
    if (this.stopping.signal.aborted) return;
    this.options.log.error(`${command.operation} of volume ${command.id} failed: ${error.message}`, {
      code: error.code,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }

  /** What the record asks for is walked again, without a command. */
  redrive(volume: VolumeState, operation: Operation): void {
    this.submit({ command: { operation: operation.name, id: volume.id }, again: true });
  }
}
