import { randomUUID } from 'node:crypto';
import { Semaphore } from '../../lib/concurrency.ts';
import { asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import { type FormerState, formersOf } from '../../lib/models/former.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { type Edit, commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import { sizeInBytes } from '../../lib/volume-size.ts';
import type { Backends } from './backends.ts';
import type { NodeLease } from './lease.ts';
import { isOnStorage } from './shared-storage.ts';
import { movedLabel } from './specs.ts';
import { storedVolume } from './found-storage.ts';

type Left = Pick<VolumeState, 'id' | 'node' | 'backend' | 'size' | 'createTime'>;

/** Notes that a volume leaves its storage, with the change that gives it another place. */
export function formerEdit({ id, node, backend, size, createTime }: Left): Edit {
  const set = { volume: id, node, backend, size: String(size), created: String(createTime) };
  return { kind: 'former', id: randomUUID(), insert: true, set, stamp: ['createTime'] };
}

/** Storage that is wiped at a time. */
const concurrency = 2;

/** Removes the storage that volumes have left with a migration, once they are available at their new place. */
export class FormerStorage implements Service {
  readonly name = 'former-storage';
  private readonly options: { store: Store; lease: NodeLease; backends: Backends; log: Log };
  private readonly semaphore = new Semaphore(concurrency);
  private readonly stopping = new AbortController();
  /** By the ids of their records. */
  private readonly running = new Map<string, Promise<void>>();
  /** Places that volumes have left since this daemon started, as `volume backend`. */
  private readonly left = new Set<string>();
  /** Why storage is not removed, by the ids of its records. */
  private readonly logged = new Map<string, string>();
  private isDue = true;

  constructor(options: { store: Store; lease: NodeLease; backends: Backends; log: Log }) {
    this.options = options;
  }

  async start(): Promise<void> {}

  /** What is being removed goes on with the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await Promise.all(this.running.values());
  }

  /** After a loss of Redis the records can be others. */
  examine(): void {
    this.isDue = true;
  }

  /** A volume has left its storage here. */
  note({ id, backend }: Pick<VolumeState, 'id' | 'backend'>): void {
    this.left.add(`${id} ${backend}`);
    this.isDue = true;
  }

  /** The volume has storage here again. */
  forget({ id, backend }: VolumeState): void {
    this.left.delete(`${id} ${backend}`);
  }

  /** Whether a volume that its record has here has left: Redis has lost that. */
  has({ id, backend }: VolumeState): boolean {
    return this.left.has(`${id} ${backend}`);
  }

  /** With each report, where there is any. Storage is removed in the background, as a wipe takes long. */
  async run(): Promise<void> {
    if (!this.isDue) return;
    const { store, lease } = this.options;
    this.isDue = false; // what is noted meanwhile makes it due again
    try {
      for await (const former of formersOf(store).iterate(store.keys.nodeFormer(lease.node))) {
        this.isDue = true;
        if (!this.running.has(former.id) && (await this.isOver(former))) this.begin(former);
      }
    } catch (error) {
      this.isDue = true;
      throw error;
    }
  }

  private begin(former: FormerState): void {
    const removal = this.semaphore
      .run(() => this.remove(former))
      .catch((error: unknown) => {
        if (this.stopping.signal.aborted) return;
        const line = `the former storage of volume ${former.volume} is not removed: ${asError(error).message}`;
        // It is tried again with each report.
        if (this.logged.get(former.id) !== line) this.options.log.warn(line);
        this.logged.set(former.id, line);
      })
      .finally(() => this.running.delete(former.id));
    this.running.set(former.id, removal);
  }

  /** Until the volume is available at its new place this may be the better copy of its data. */
  private async isOver({ volume: id, node, backend }: FormerState): Promise<boolean> {
    const { states, unreadable } = await volumesOf(this.options.store).readAll([id]);
    const [volume] = states;
    if (unreadable.length > 0) return false;
    if (!volume) return true;
    // It is here again, and Redis has the record of an earlier migration back.
    if (volume.node === node && volume.backend === backend) return volume.task === undefined;
    return volume.task?.copied === undefined && volume.status !== 'error';
  }

  private async remove(former: FormerState): Promise<void> {
    const { store, lease, backends } = this.options;
    const { id, volume, size, created } = former;
    const { signal } = this.stopping;
    signal.throwIfAborted();
    const backend = backends.get(former.backend);
    const { driver, target } = backend;
    await this.change({ kind: 'former', id, expect: { node: lease.node } });
    const found = await storedVolume(driver, volume);
    const labels = found?.labels ?? {};
    const now = await volumesOf(store).find(volume);
    const isHere = now !== undefined && (await isOnStorage({ store, lease }, backend, now));
    // Without its label it is the volume's, which is here again: Redis has lost that. Of what is not listed, parts may be left.
    const isLeft = found ? labels[movedLabel] !== undefined && labels['created'] === created : !isHere;
    // The volume may be on its way back.
    if (!found && now?.task) return;
    if (isLeft) {
      // One that is here follows its label first. The next report tries again.
      if (isHere || !(await this.isOver(former))) return;
      if (now?.node !== lease.node) await target.removeExport(volume);
      await driver.deleteVolume({ id: volume, size, sizeBytes: sizeInBytes(size), labels }, { signal, unused: !found });
    }
    await this.change({ kind: 'former', id, remove: true, optional: true });
    this.left.delete(`${volume} ${former.backend}`);
    this.logged.delete(id);
  }

  /** Throws Fenced. */
  private async change(edit: Edit): Promise<void> {
    const { store, lease } = this.options;
    const outcome = await commit(store, { owner: lease.token, edits: [edit], frees: true });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    if (outcome.word !== 'ok') throw errors.recordUnreadable(`former storage ${edit.id}`, 'has changed');
  }
}
