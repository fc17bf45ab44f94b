import { type BlockstoreError, type Fault, asError, errors } from '../../../lib/errors.ts';
import type { GroupSnapshotState } from '../../../lib/models/group-snapshot-state.ts';
import { groupSnapshotsOf, membersOf } from '../../../lib/models/group-snapshot.ts';
import type { SnapshotState } from '../../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../../lib/models/snapshot.ts';
import { isGroupTask } from '../../../lib/models/task.ts';
import { editOf } from '../../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { type Edit, commit } from '../../../lib/redis/scripts.ts';
import { checkLease } from './check-lease.ts';
import { faultOf } from './fault-of.ts';
import { type GroupContext, type GroupMember, type GroupOperation, groupOperations } from './group-operations.ts';
import type { OperationOutcome } from './operation-outcome.ts';
import type { RunnerOptions } from './operation-runner.ts';
import { withRetries } from './retry.ts';
import { snapshotEdits } from './snapshot-edits.ts';

/** Record changes that the end of an operation meets at most. */
const maxChanges = 20;

/** What the records say of an operation at that moment. */
interface Found {
  /** Volumes that have the task, with their snapshots; without one where Redis has lost its record. */
  volumes: readonly { volume: VolumeState; snapshot: SnapshotState | undefined }[];
  group: GroupSnapshotState | undefined;
  /** Snapshots of the group snapshot whose volume has the task no more, as Redis has lost it. */
  others: readonly SnapshotState[];
}

/** Carries out one operation on several volumes, each of which has its task. */
export class GroupRunner {
  private readonly options: RunnerOptions;
  private readonly signal: AbortSignal;

  /** `signal` aborts when the daemon stops or loses its lease. */
  constructor(options: RunnerOptions, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
  }

  /** Returns the ids of the volumes that have the same task, always in the same order. */
  async volumesWith(volume: VolumeState): Promise<string[]> {
    const { volumes } = await this.retried(volume, 'reading', () => this.find(volume));
    return [...new Set([volume.id, ...volumes.map((one) => one.volume.id)])].toSorted();
  }

  /** `from` is the record of one of them. Returns how it ended; undefined where the task was gone. Throws Fenced. */
  async run(from: VolumeState, { isResumed }: { isResumed: boolean }): Promise<OperationOutcome | undefined> {
    const { store, log } = this.options;
    const kind = from.task?.kind;
    if (!isGroupTask(kind)) return undefined;
    const operation = groupOperations[kind];
    const found = await this.retried(from, 'reading', () => store.readReplicated(() => this.find(from)));
    if (found.volumes.length === 0) return undefined;
    let context: GroupContext | undefined;
    try {
      context = this.contextFor(from, operation, found, isResumed);
      const given = context;
      await this.retried(from, operation.name, () => operation.run(given));
    } catch (thrown) {
      const error = asError(thrown);
      if (this.signal.aborted || error.code === 'Fenced') throw error;
      // A backend that fails its checks has the task carried out when it is served again.
      if (error.code === 'BackendUnavailable') return 'postponed';
      return this.fail(from, operation, error, context);
    }
    await this.end(from, operation);
    log.info(`${operation.name} of volumes ${idsOf(found)} completed`);
    return 'completed';
  }

  /** Throws BackendUnavailable, TaskLost, StorageMissing. */
  private contextFor(
    from: VolumeState,
    { name, needsAll }: GroupOperation,
    { volumes, group, others }: Found,
    isResumed: boolean,
  ): GroupContext {
    const { backends, former } = this.options;
    const members = volumes.flatMap(({ volume, snapshot }): GroupMember[] => (snapshot ? [{ volume, snapshot }] : []));
    const isWhole = group !== undefined && others.length === 0 && members.length === volumes.length;
    if (needsAll && !isWhole) throw errors.taskLost(from.id, name);
    const left = members.find(({ volume }) => former.has(volume));
    if (left) throw errors.storageLeft(left.volume.id, 'another backend');
    return {
      backend: backends.get(from.backend),
      members,
      isResumed,
      checkTask: () => this.checkTask(volumes),
      checkLease: () => this.retried(from, 'undo', () => checkLease(this.options)),
      signal: this.signal,
    };
  }

  private async checkTask(volumes: Found['volumes']): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, {
      owner: lease.token,
      edits: volumes.map(({ volume: { id, taskText } }) => ({
        kind: 'volume',
        id,
        expect: { node: lease.node, task: taskText },
      })),
      frees: true,
    });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    const [first] = volumes;
    if (outcome.word !== 'ok') throw errors.taskLost(first?.volume.id ?? '', first?.volume.task?.kind ?? 'task');
  }

  private async fail(
    from: VolumeState,
    operation: GroupOperation,
    error: BlockstoreError,
    context: GroupContext | undefined,
  ): Promise<OperationOutcome> {
    const { log } = this.options;
    if (context) {
      await operation.undo?.(context).catch((thrown: unknown) => {
        if (this.signal.aborted || asError(thrown).code === 'Fenced') throw thrown;
        log.error(`${operation.name} could not be undone`, { reason: asError(thrown).message });
      });
    }
    log.error(`${operation.name} failed: ${error.message}`, {
      code: error.code,
      ...(from.requestedBy === '' ? {} : { requestedBy: from.requestedBy }),
      ...(error.hint === undefined ? {} : { hint: error.hint }),
    });
    await this.end(from, operation, faultOf(error, from, operation.name));
    return 'failed';
  }

  /** Ends the tasks of all volumes, with their snapshots and the group snapshot, in one change set. */
  private async end(from: VolumeState, operation: GroupOperation, fault?: Fault): Promise<void> {
    const { store, lease } = this.options;
    for (let change = 0; change < maxChanges; change += 1) {
      const found = await this.retried(from, 'reading', () => this.find(from));
      const { volumes, group, others } = found;
      if (volumes.length === 0) return;
      const status = fault ? operation.becomes.fail : operation.becomes.finish;
      const edits = [
        ...(group ? [groupEdit(group, status, fault)] : []),
        ...volumes.map(({ volume }) => editOf(volume, fault ? operation.fail : operation.finish)),
        ...[...volumes.map(({ snapshot }) => snapshot), ...others].flatMap((one) => snapshotEdits(one, status, fault)),
      ];
      const ofVolumes = edits.flatMap(({ kind }, edit) => (kind === 'volume' || edit === 0 ? [{ edit, fault }] : []));
      const outcome = await this.retried(from, operation.name, () =>
        commit(store, { owner: lease.token, edits, replies: ofVolumes, frees: true }),
      );
      if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
      if (outcome.word === 'ok') return;
      // A volume was changed meanwhile, or Redis has lost a record: the rest ends all the same.
    }
    this.options.log.error(`${operation.name} has not ended in the records: they change again and again`);
  }

  /** Throws RecordUnreadable. */
  private async find(from: VolumeState): Promise<Found> {
    const { store, lease } = this.options;
    const own = from.snapshot === '' ? undefined : await snapshotsOf(store).find(from.snapshot);
    const id = own?.groupSnapshot ?? '';
    const snapshots = id === '' ? [] : await membersOf(store, id);
    const ids = new Set([from.id, ...snapshots.map(({ volume }) => volume)]);
    const { states } = await volumesOf(store).readAll([...ids]);
    const withTask = states.filter(({ node, taskText }) => node === lease.node && taskText === from.taskText);
    const volumes = withTask.map((volume) => ({
      volume,
      snapshot: [...snapshots, own].find((snapshot) => snapshot?.id === volume.snapshot),
    }));
    const covered = new Set(withTask.map((volume) => volume.snapshot));
    const others = snapshots.filter((snapshot) => !covered.has(snapshot.id));
    return { volumes, group: id === '' ? undefined : await groupSnapshotsOf(store).find(id), others };
  }

  private retried<T>(volume: VolumeState, step: string, work: () => Promise<T>): Promise<T> {
    const { tries, log } = this.options;
    return withRetries(work, {
      tries,
      signal: this.signal,
      onRetry: ({ code, message }, attempt) =>
        log.debug(`step ${step} of ${volume.id} is retried`, { attempt, code, reason: message }),
    });
  }
}

function idsOf({ volumes }: Found): string {
  return volumes.map(({ volume }) => volume.id).join(', ');
}

function groupEdit({ id, status: expected }: GroupSnapshotState, status: string, fault: Fault | undefined): Edit {
  const edit = { kind: 'group-snapshot', id, expect: { status: expected } } as const;
  if (status === 'removed') return { ...edit, remove: true };
  const unset = ['requesters', 'by'];
  return fault
    ? { ...edit, set: { status, fault: JSON.stringify(fault) }, unset }
    : { ...edit, set: { status }, unset: [...unset, 'fault'] };
}
