import { KeyedMutex, Semaphore } from '../../lib/concurrency.ts';
import { closing } from '../../lib/drivers/open-data.ts';
import { type BlockstoreError, asError, errors, fromFault } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { JobState } from '../../lib/models/job-state.ts';
import { jobsOf } from '../../lib/models/job.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type ChangeSet, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { Backends } from './backends.ts';
import { ProgressWriter } from './engine/progress.ts';
import { withRetries } from './engine/retry.ts';
import type { NodeLease } from './lease.ts';
import { OwnSnapshots } from './own-snapshots.ts';
import { snapshotSpec } from './specs.ts';

/** Snapshots that are read at a time: more would share the disks of the node. */
const concurrency = 2;

/** The lease is gone, or the storage is not there yet: the job is tried again with the next report, or by the next daemon. */
const waiting: ReadonlySet<string> = new Set(['Fenced', 'BackendUnavailable']);

/** Where the data of a snapshot go. */
export interface SnapshotReader {
  /** `check` throws where what was read is not the snapshot's: before the copy counts. What has its data already stays as it is. */
  copy(
    target: string,
    storage: { path: string; sizeBytes: number },
    options: { signal: AbortSignal; progress: (percent: number) => void; check: () => Promise<void> },
  ): Promise<void>;
  /** It gets no data: it says so, or goes. */
  discard(target: string, reason: BlockstoreError): Promise<void>;
}

export interface SnapshotJobsOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  tries: number;
  readers: Readonly<Record<JobState['kind'], SnapshotReader>>;
  topic: string;
  log: Log;
}

/** Copies the data of snapshots to backups and images, beside the tasks of their volumes. */
export class SnapshotJobs implements Service {
  readonly name = 'snapshot-jobs';
  private readonly options: SnapshotJobsOptions;
  private readonly own: OwnSnapshots;
  private readonly semaphore = new Semaphore(concurrency);
  private readonly targets = new KeyedMutex();
  private readonly stopping = new AbortController();
  /** Jobs that have not ended, by their ids; undefined: one that is to be tried again. */
  private readonly known = new Map<string, Promise<void> | undefined>();

  constructor(options: SnapshotJobsOptions) {
    this.options = options;
    this.own = new OwnSnapshots(options.store, options.topic);
  }

  /** Those that an earlier daemon has begun. */
  start(): Promise<void> {
    return this.examine();
  }

  /** Another daemon has the node's name. */
  abort(): void {
    this.stopping.abort();
  }

  /** What is under way is begun again by the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all([...this.known.values()].filter((one) => one !== undefined));
  }

  /** All that the records have: after a loss of Redis also those that had ended. */
  async examine(): Promise<void> {
    const { store, lease, log } = this.options;
    const unreadable = ({ id, reason }: { id: string; reason: string }) =>
      log.error(`the record of job ${id} ${reason}`);
    for await (const { id } of jobsOf(store).iterate(store.keys.nodeJobs(lease.node), unreadable)) this.check(id);
  }

  /** A command names this job. */
  check(id: string): void {
    if (this.stopping.signal.aborted || this.known.get(id)) return;
    const one = this.semaphore
      .run(() => this.carryOut(id), this.stopping.signal)
      .catch((error: unknown) => {
        this.known.set(id, undefined);
        if (this.stopping.signal.aborted) return;
        this.options.log.debug('a job waits', { job: id, reason: asError(error).message });
      });
    this.known.set(id, one);
  }

  /** With each report: what could not be done before. */
  run(): void {
    for (const [id, running] of this.known) if (!running) this.check(id);
  }

  private async carryOut(id: string): Promise<void> {
    const job = await this.current(id);
    if (job) await this.carryOutJob(job);
  }

  /** Undefined where it is no job of this node, or has ended. */
  private async current(id: string): Promise<JobState | undefined> {
    const { store, lease } = this.options;
    const job = await jobsOf(store).find(id);
    if (job?.node === lease.node) return job;
    this.known.delete(id);
    return undefined;
  }

  private async carryOutJob(job: JobState): Promise<void> {
    if (job.copied !== undefined) return this.endWithoutSnapshot(job);
    if (job.snapshot !== '') return this.copyOut(job);
    try {
      if (!(await this.own.take(job))) return this.tryAgain(job);
    } catch (thrown) {
      return this.fail(job, asError(thrown));
    }
    await this.change({ edits: [{ kind: 'job', id: job.id, set: { snapshot: job.ownSnapshot } }] });
    await this.copyOut({ ...job, snapshot: job.ownSnapshot });
  }

  private tryAgain({ id }: JobState): void {
    this.known.set(id, undefined);
  }

  private async copyOut(job: JobState): Promise<void> {
    const { id } = job;
    const { signal } = this.stopping;
    const progress = new ProgressWriter((percent) =>
      this.change({ edits: [{ kind: 'job', id, optional: true, set: { progress: String(percent) } }] }).catch(
        () => undefined,
      ),
    );
    const copy = () => this.copy(job, { signal, progress: (percent) => progress.set(percent) });
    try {
      // Two jobs for one target would write over each other; the second one finds it whole.
      await this.targets.run(
        job.target,
        () => withRetries(copy, { tries: this.options.tries, signal, onRetry: (error) => this.noteRetry(job, error) }),
        signal,
      );
    } catch (thrown) {
      await progress.end();
      const error = asError(thrown);
      if (signal.aborted || waiting.has(error.code)) throw error;
      return this.fail(job, error);
    }
    await progress.end();
    await this.end(job);
  }

  private async fail(job: JobState, error: BlockstoreError): Promise<void> {
    const { readers, log } = this.options;
    await this.end(job, error); // first: repeated without its target, the job would end with another reason
    await readers[job.kind].discard(job.target, error).catch((reason: unknown) => {
      log.warn(`${job.kind} ${job.target} stays without its data: ${asError(reason).message}`);
    });
  }

  private async copy(
    { kind, snapshot: snapshotId, volume: volumeId, target, id }: JobState,
    options: { signal: AbortSignal; progress: (percent: number) => void },
  ): Promise<void> {
    const { store, backends, readers } = this.options;
    const snapshot = await snapshotsOf(store).lookup(snapshotId);
    const volume = await volumesOf(store).lookup(volumeId);
    const { snapshots, name } = backends.get(volume.backend).driver;
    const open = snapshots?.openSnapshot?.bind(snapshots);
    if (!open) throw errors.notCapable(volumeId, name, 'images');
    await this.change({ edits: [{ kind: 'job', id }] }); // the lease, before anything is written
    const spec = snapshotSpec(volume, snapshot);
    const check = async () => (await open(spec, options)).close();
    const sizeBytes = sizeInBytes(snapshot.size);
    await closing(await open(spec), (path) => readers[kind].copy(target, { path, sizeBytes }, { ...options, check }));
  }

  private noteRetry(job: JobState, { message: reason }: BlockstoreError): void {
    this.options.log.warn(`${nameOf(job)} failed and is tried again`, { reason });
  }

  /** A snapshot of its own is left to be deleted; nobody reads it any more. */
  private async end(job: JobState, error?: BlockstoreError): Promise<void> {
    if (job.ownSnapshot === '') return this.remove(job, error);
    const copied = error ? error.toFault() : 'completed';
    const text = copied === 'completed' ? copied : JSON.stringify(copied);
    await this.change({
      edits: [{ kind: 'job', id: job.id, set: { copied: text }, unset: ['snapshot'] }],
    });
    await this.endWithoutSnapshot({ ...job, snapshot: '', copied });
  }

  private async endWithoutSnapshot(job: JobState): Promise<void> {
    const { copied, ownSnapshot } = job;
    try {
      if (!(await this.own.remove(job))) return this.tryAgain(job);
    } catch (thrown) {
      const { message } = asError(thrown);
      this.options.log.warn(`snapshot ${ownSnapshot}, which was for ${nameOf(job)} alone, stays: ${message}`);
    }
    await this.remove(job, copied === undefined || copied === 'completed' ? undefined : fromFault(copied));
  }

  private async remove(job: JobState, error?: BlockstoreError): Promise<void> {
    const { id, kind, requestedBy } = job;
    const { log } = this.options;
    await this.change({
      edits: [{ kind: 'job', id, remove: true, optional: true }],
      replies: [{ edit: 0, ...(error ? { fault: error.toFault() } : {}) }],
      event: `snapshot.${kind}.${error ? 'error' : 'end'}`,
    });
    this.known.delete(id);
    const by = requestedBy === '' ? {} : { requestedBy };
    if (error) log.error(`${nameOf(job)} failed: ${error.message}`, { ...by, hint: error.hint });
    else log.info(`${nameOf(job)} completed`, by);
  }

  /** Throws Fenced. */
  private async change(change: ChangeSet): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, { owner: lease.token, frees: true, ...change });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.recordUnreadable('job', 'has changed');
  }
}

function nameOf({ kind, snapshot, volume }: JobState): string {
  return snapshot === '' ? `${kind} of volume ${volume}` : `${kind} of snapshot ${snapshot}`;
}
