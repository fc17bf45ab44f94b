import { KeyedMutex, Semaphore } from '../../lib/concurrency.ts';
import { type BlockstoreError, asError, errors } from '../../lib/errors.ts';
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
  /** Removes what has not got all of its data. */
  discard(target: string): Promise<void>;
}

export interface SnapshotJobsOptions {
  store: Store;
  lease: NodeLease;
  backends: Backends;
  tries: number;
  readers: Readonly<Record<JobState['kind'], SnapshotReader>>;
  log: Log;
}

/** Copies the data of snapshots to backups and images, beside the tasks of their volumes. */
export class SnapshotJobs implements Service {
  readonly name = 'snapshot-jobs';
  private readonly options: SnapshotJobsOptions;
  private readonly semaphore = new Semaphore(concurrency);
  private readonly targets = new KeyedMutex();
  private readonly stopping = new AbortController();
  /** Jobs that have not ended, by their ids; undefined: one that is to be tried again. */
  private readonly known = new Map<string, Promise<void> | undefined>();

  constructor(options: SnapshotJobsOptions) {
    this.options = options;
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
    const { store, lease, readers } = this.options;
    const job = await jobsOf(store).find(id);
    if (job?.node !== lease.node) {
      this.known.delete(id);
      return;
    }
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
      await this.end(job, error); // first: repeated without its target, the job would end with another reason
      await readers[job.kind].discard(job.target).catch((reason: unknown) => {
        this.options.log.warn(`${job.kind} ${job.target} stays without its data: ${asError(reason).message}`);
      });
      return;
    }
    await progress.end();
    await this.end(job);
  }

  private async copy(
    { kind, snapshot: snapshotId, volume: volumeId, target, id }: JobState,
    options: { signal: AbortSignal; progress: (percent: number) => void },
  ): Promise<void> {
    const { store, backends, readers } = this.options;
    const snapshot = await snapshotsOf(store).lookup(snapshotId);
    const volume = await volumesOf(store).lookup(volumeId);
    const { snapshots, name } = backends.get(volume.backend).driver;
    if (!snapshots?.openSnapshot) throw errors.notCapable(volumeId, name, 'images');
    await this.change({ edits: [{ kind: 'job', id }] }); // the lease, before anything is written
    const spec = snapshotSpec(volume, snapshot);
    const storage = { path: await snapshots.openSnapshot(spec), sizeBytes: sizeInBytes(snapshot.size) };
    const check = async () => void (await snapshots.openSnapshot?.(spec));
    await readers[kind].copy(target, storage, { ...options, check });
  }

  private noteRetry({ kind, snapshot }: JobState, { message: reason }: BlockstoreError): void {
    this.options.log.warn(`${kind} of snapshot ${snapshot} failed and is tried again`, { reason });
  }

  private async end({ id, kind, snapshot, requestedBy }: JobState, error?: BlockstoreError): Promise<void> {
    const { log } = this.options;
    await this.change({
      edits: [{ kind: 'job', id, remove: true, optional: true }],
      replies: [{ edit: 0, ...(error ? { fault: error.toFault() } : {}) }],
      event: `snapshot.${kind}.${error ? 'error' : 'end'}`,
    });
    this.known.delete(id);
    const by = requestedBy === '' ? {} : { requestedBy };
    if (error) log.error(`${kind} of snapshot ${snapshot} failed: ${error.message}`, { ...by, hint: error.hint });
    else log.info(`${kind} of snapshot ${snapshot} completed`, by);
  }

  /** Throws Fenced. */
  private async change(change: ChangeSet): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, { owner: lease.token, frees: true, ...change });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.recordUnreadable('job', 'has changed');
  }
}
