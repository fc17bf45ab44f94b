import { type BlockstoreError, type Fault, asError, errors } from '../../../lib/errors.ts';
import type { ImageSource } from '../../../lib/images/fill.ts';
import type { Log } from '../../../lib/log.ts';
import { type Transition, type TransitionName, transitions } from '../../../lib/models/transitions.ts';
import { type EditOptions, editOf, endedWith } from '../../../lib/models/volume-edit.ts';
import { type VolumeAttachments, afterDetach, allAttachments } from '../../../lib/models/attachment.ts';
import { freesMemory } from '../../../lib/models/task.ts';
import { type VolumeState, isFilled } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import type { SnapshotState } from '../../../lib/models/snapshot-state.ts';
import { type Edit, commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Addresses } from '../addresses.ts';
import type { Backends } from '../backends.ts';
import type { FormerStorage } from '../former.ts';
import type { NodeLease } from '../lease.ts';
import type { Problems } from '../problems.ts';
import type { VolumeTable } from '../volume-table.ts';
import { checkLease } from './check-lease.ts';
import { faultOf } from './fault-of.ts';
import { handBack } from './hand-back.ts';
import { refuseOtherData } from './restore-steps.ts';
import type { Backups as BackupStore, Migrations, Operation, OperationEnd, Step, StepContext } from './operation.ts';
import type { OperationOutcome } from './operation-outcome.ts';
import { dropVolume, noteEnd } from './note-end.ts';
import { operationOf } from './operations.ts';
import { ProgressWriter } from './progress.ts';
import { authenticated, determined, merged, readdressed, resized } from './record-change.ts';
import { withRetries } from './retry.ts';
import { attachmentEdits, attachmentFailure, withOtherAttachments } from './attachment-edits.ts';
import { endedSnapshots, snapshotEdits } from './snapshot-edits.ts';
import { remainingAttachments } from './steps.ts';

export interface RunnerOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  addresses: Addresses;
  table: VolumeTable;
  log: Log;
  topic: string;
  images: ImageSource;
  backups: BackupStore;
  migrations: Migrations;
  /** Places that volumes have left. */
  former: Pick<FormerStorage, 'note' | 'has'>;
  problems: Pick<Problems, 'noteStrayExport'>;
  exportUnattached: boolean;
  tries: number;
}

/** Carries out one operation: runs its steps, then ends it in one guarded transition. */
export class OperationRunner {
  private readonly options: RunnerOptions;
  private readonly signal: AbortSignal;
  private readonly exclusively: Exclusively;

  /** `signal` aborts when the daemon stops or loses its lease; `exclusively` does work while no operation runs on a volume. */
  constructor(options: RunnerOptions, signal: AbortSignal, exclusively: Exclusively) {
    this.options = options;
    this.signal = signal;
    this.exclusively = exclusively;
  }

  /**
   * `volume` is the record with its task; `isStale`: it may have changed since it was read. `isResumed`: an earlier run may have done
   * part of the steps; `isBehind`: it has waited for another operation of the volume. Returns how it ended; undefined where the task was
   * gone. Throws Fenced, and what the abort signal throws.
   */
  async run(
    from: VolumeState,
    { isResumed, isStale, isBehind }: { isResumed: boolean; isStale: boolean; isBehind: boolean },
  ): Promise<OperationOutcome | undefined> {
    const { store, lease, log } = this.options;
    const volume = isStale || store.isReplicated ? await this.current(from) : from;
    if (!volume?.task || volume.node !== lease.node) return undefined;
    const operation = operationOf(volume);
    if (!operation) return undefined;
    const progress = new ProgressWriter((percent) => this.note(volume, { progress: String(percent) }));
    const attachments = operation.ofAttachment ? await this.attachmentsOf(volume) : noAttachments;
    let step: Step | undefined;
    let context: StepContext | undefined;
    try {
      context = this.contextFor(volume, attachments, progress, isResumed);
      if (operation.ofSnapshot || volume.snapshot !== '')
        context.snapshot = await this.snapshotOf(volume, volume.snapshot);
      if (operation.isOfAllSnapshots?.(volume)) context.snapshots = await this.snapshotsOfVolume(volume);
      if (volume.isCopying && !isFilled(volume)) Object.assign(context, await this.originOf(volume));
      // Redis may have it here again from before a restore or a migration.
      const isUnsure = isResumed || isBehind || this.options.table.get(volume.id) === undefined;
      if (isUnsure && operation.usesData) await this.refuseOtherData(context);
      for (step of operation.steps) await this.runStep(step, context, isResumed);
    } catch (thrown) {
      await progress.end();
      const error = asError(thrown);
      if (this.signal.aborted || error.code === 'Fenced') throw error;
      return this.fail(volume, operation, error, { step, context, attachments });
    }
    await progress.end();
    const { ofSnapshot, ofAttachment } = operation;
    const more: OperationEnd = operation.endsWith?.(context) ?? {};
    const others = [
      ...(ofSnapshot ? snapshotEdits(context.snapshot, ofSnapshot.finish) : []),
      ...(ofAttachment ? attachmentEdits(context, ofAttachment.finish) : []),
      ...endedSnapshots(context.snapshots, operation),
      ...(more.edits ?? []),
    ];
    const remaining = remainingAttachments(context);
    const change = { ...merged(determined(context), { set: more.set ?? {}, unset: more.unset ?? [] }), remaining };
    const isMet = await this.end(context.volume, operation.finish, change, { ...more, others });
    if (!isMet && more.condition) {
      const left = more.condition.otherwise;
      return this.fail(volume, operation, left, { step: undefined, context, attachments });
    }
    const { id, requestedBy } = volume;
    log.info(`${operation.name} of volume ${id} completed`, requestedBy === '' ? {} : { requestedBy });
    return 'completed';
  }

  /** The record as replicas have it: a task that a failover loses is not begun. */
  private async current(volume: VolumeState): Promise<VolumeState | undefined> {
    const { store } = this.options;
    return this.retried(volume, 'reading', () => store.readReplicated(() => volumesOf(store).find(volume.id)));
  }

  /** Undefined where Redis has lost its record. Throws RecordUnreadable. */
  private snapshotOf(volume: VolumeState, id: string): Promise<SnapshotState | undefined> {
    return this.retried(volume, 'reading', () => snapshotsOf(this.options.store).find(id));
  }

  /** Without those whose records cannot be read, which the audit reports. */
  private snapshotsOfVolume(volume: VolumeState): Promise<readonly SnapshotState[]> {
    const { store } = this.options;
    return this.retried(volume, 'reading', async () => {
      const ids = await store.read((redis) => redis.zrange(store.keys.volumeSnapshots(volume.id), '0', '-1'));
      return (await snapshotsOf(store).readAll(ids)).states;
    });
  }

  private attachmentsOf(volume: VolumeState): Promise<VolumeAttachments> {
    return this.retried(volume, 'reading', () => allAttachments(this.options.store, volume));
  }

  /** What a volume is copied from. */
  private async originOf(volume: VolumeState): Promise<Pick<StepContext, 'snapshot' | 'origin'>> {
    const { fromSnapshot, fromVolume } = volume;
    const snapshot = fromSnapshot === '' ? undefined : await this.snapshotOf(volume, fromSnapshot);
    const id = snapshot?.volume ?? fromVolume;
    const origin = await this.retried(volume, 'reading', () => volumesOf(this.options.store).find(id));
    return { snapshot, origin };
  }

  /** Throws BackendUnavailable. */
  private contextFor(
    volume: VolumeState,
    attachments: VolumeAttachments,
    progress: ProgressWriter,
    isResumed: boolean,
  ): StepContext {
    const { backends, addresses, exportUnattached, former } = this.options;
    const kind = volume.task?.kind;
    const hasLeft = former.has(volume) && kind !== 'migrate';
    // Redis may have lost that it was detached before it left.
    if (hasLeft && kind !== 'detach') throw errors.storageLeft(volume.id, 'another backend');
    return {
      volume,
      before: volume,
      backend: backends.get(volume.backend),
      snapshot: undefined,
      snapshots: [],
      attachments,
      origin: undefined,
      migration: undefined,
      migrations: this.options.migrations,
      addresses,
      images: this.options.images,
      backups: this.options.backups,
      exportUnattached,
      hasLeft,
      isResumed,
      madeStorage: false,
      isBlank: false,
      hasImage: false,
      partly: undefined,
      failure: undefined,
      whileDetached: (id, work) => this.whileDetached(id, work),
      checkTask: () => this.checkTask(volume),
      checkLease: () => checkLease(this.options),
      signal: this.signal,
      progress: (percent) => progress.set(percent),
    };
  }

  private whileDetached(id: string, work: () => Promise<void>): Promise<void> {
    return this.exclusively(id, async () => {
      const { attachStatus, status } = await volumesOf(this.options.store).lookup(id);
      if (attachStatus !== 'detached') throw errors.originInUse(id, status);
      await work();
    });
  }

  /** The record still has the task: Redis may have lost it. Throws Fenced, TaskLost. */
  private async checkTask({ id, task, taskText }: VolumeState): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, {
      owner: lease.token,
      edits: [{ kind: 'volume', id, expect: { node: lease.node, task: taskText } }],
      frees: true,
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.taskLost(id, task?.kind ?? 'task');
  }

  private refuseOtherData(context: StepContext): Promise<void> {
    return this.retried(context.volume, 'data', () => refuseOtherData(context));
  }

  private async runStep(step: Step, context: StepContext, isResumed: boolean): Promise<void> {
    if (isResumed && (await step.isDone?.(context))) return;
    const fields = await this.retried(context.volume, step.name, () => step.run(context));
    if (fields) context.volume = { ...context.volume, ...fields };
  }

  private async fail(
    volume: VolumeState,
    operation: Operation,
    cause: BlockstoreError,
    { step, context, attachments }: FailedRun,
  ): Promise<OperationOutcome> {
    const { log } = this.options;
    // A backend that fails its checks has the task carried out when it is served again.
    if (cause.code === 'BackendUnavailable' && !operation.handsBack.has(cause.code)) return 'postponed';
    if (context && operation.postpones?.(context, cause)) return 'postponed';
    const error = operation.failsWith?.(volume, cause) ?? cause;
    const { refusal } = operation;
    // Nothing was made: what is there is somebody else's.
    const isRefused = refusal?.codes.has(error.code) === true && context?.madeStorage !== true;
    if (context) context.failure = error;
    const left = context && !isRefused ? await this.undo(operation, context) : undefined;
    if (refusal?.codes.has((left ?? error).code)) {
      this.reportFailure(volume, operation.name, left ?? error);
      await this.end(volume, refusal.transition, { fault: faultOf(left ?? error, volume, step?.name) });
      return 'refused';
    }
    if (operation.handsBack.has(error.code) && !left) {
      const { store, lease, topic } = this.options;
      const outcome = await this.retried(volume, 'placement', () => handBack({ store, lease, topic }, volume, error));
      dropVolume(this.options, volume.id);
      log.info(`volume ${volume.id} could not be created here`, { reason: error.message, outcome });
      return 'handed_back';
    }
    this.reportFailure(volume, operation.name, error);
    const reason = left?.code === 'StorageKept' ? left : error;
    // Recorded unless the undo released it: other nodes see in the record which address the volume no longer has.
    const hasAddress =
      context !== undefined && this.options.addresses.pool.addressOf(volume.id) === context.volume.address;
    const fault = faultOf(reason, volume, step?.name);
    const change = merged(hasAddress ? readdressed(context) : {}, context ? resized(context) : {});
    const { ofSnapshot, ofAttachment } = operation;
    const failure = (context && operation.failure?.(context)) ?? { transition: operation.fail };
    const whole = merged(change, { set: failure.set ?? {} });
    const isRequesters = operation.sparesVolume ?? failure.isRequesters ?? false;
    if (ofAttachment) {
      const ending = attachmentFailure({ volume, attachments }, operation, left !== undefined);
      const { transition, status, faultOf: owner } = ending;
      const others = attachmentEdits({ volume, attachments }, status, owner === 'attachment' ? fault : undefined);
      const remaining = remainingAttachments({ volume, attachments });
      const isStray = left && status === 'removed';
      if (isStray) this.options.problems.noteStrayExport(volume.id, left);
      const secret = context && status !== 'removed' ? authenticated(context) : {};
      const more = { remaining, ...merged(whole, secret), ...(owner === 'requesters' ? {} : { fault }) };
      await this.end(volume, transition, more, { fault, others });
    } else if (isRequesters) {
      const others = ofSnapshot ? snapshotEdits(context?.snapshot, ofSnapshot.fail, fault) : [];
      await this.end(volume, failure.transition, whole, { fault, others });
    } else {
      const others = endedSnapshots(context?.snapshots ?? [], operation, fault);
      await this.end(volume, failure.transition, { fault, ...whole }, { others });
    }
    return 'failed';
  }

  /** Why something that the operation took is left, or undefined. */
  private async undo(operation: Operation, context: StepContext): Promise<BlockstoreError | undefined> {
    try {
      for (const step of operation.undo) await this.runStep(step, context, false);
      return undefined;
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') throw error;
      if (operation.refusal?.codes.has(error.code)) return error;
      this.options.log.error(`${operation.name} of volume ${context.volume.id} could not be undone`, {
        reason: error.message,
      });
      return error;
    }
  }

  /**
   * `fault`: that of the requesters, where the volume has none. `others`: edits of other records; one that is gone ends nothing. Returns
   * whether the condition was met.
   */
  private async end(
    volume: VolumeState,
    name: TransitionName,
    more: EditOptions,
    { fault = more.fault, others = [], commands = [], condition }: EndOptions = {},
  ): Promise<boolean> {
    const { store, lease } = this.options;
    const edit = editOf(volume, name, more);
    const { leaves }: Transition = transitions[name];
    const conditions = condition ? [condition.is] : [];
    // A task that another node completes has no end yet.
    const replies = leaves ? [] : [{ edit: 0, fault }];
    const commitWith = (edits: readonly Edit[]) =>
      this.retried(volume, name, () =>
        commit(store, { owner: lease.token, conditions, edits, commands, replies, frees: true }),
      );
    let outcome = await commitWith([edit, ...endedWith(volume, name), ...others]);
    if (outcome.word === 'absent' && outcome.edit > 0 && !leaves) outcome = await commitWith([edit]);
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word === 'condition') return false;
    const current = outcome.word === 'changed' ? withOtherAttachments(volume, outcome.record) : undefined;
    if (current) {
      const remaining = afterDetach(await this.attachmentsOf(current), volume.attachment);
      return this.end(
        current,
        name,
        { ...more, remaining },
        { fault, others, commands, ...(condition ? { condition } : {}) },
      );
    }
    noteEnd(this.options, { volume, name, more, edit }, outcome);
    return true;
  }

  /** Fields that show how it goes. */
  private async note(volume: VolumeState, set: Record<string, string>): Promise<void> {
    const { store, lease, log } = this.options;
    try {
      const edits = [editOf(volume, 'progress', { set })];
      await commit(store, { owner: lease.token, edits, frees: freesMemory(volume.task?.kind) });
    } catch (error) {
      // It informs only: a failure that matters is met by the operation itself.
      log.debug('progress not written', { volume: volume.id, reason: asError(error).message });
    }
  }

  private retried<T>(volume: VolumeState, step: string, work: () => Promise<T>): Promise<T> {
    const { tries, log } = this.options;
    return withRetries(work, {
      tries,
      signal: this.signal,
      onRetry: ({ code, message }, attempt) => {
        log.debug(`step ${step} of ${volume.id} is retried`, { attempt, code, reason: message });
        if (volume.task) void this.note(volume, { step, attempts: String(attempt) });
      },
    });
  }

  reportFailure(volume: VolumeState, operation: string, error: BlockstoreError): void {
    if (this.signal.aborted) return;
    this.options.log.error(`${operation} of volume ${volume.id} failed: ${error.message}`, {
      code: error.code,
      ...(volume.requestedBy === '' ? {} : { requestedBy: volume.requestedBy }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
  }
}

type Exclusively = (volume: string, work: () => Promise<void>) => Promise<void>;

type EndOptions = { fault?: Fault | undefined; others?: readonly Edit[] } & Pick<
  OperationEnd,
  'commands' | 'condition'
>;

const noAttachments: VolumeAttachments = { states: [], missing: [] };

/** How far a run came that has failed. */
interface FailedRun {
  step: Step | undefined;
  context: StepContext | undefined;
  attachments: VolumeAttachments;
}
