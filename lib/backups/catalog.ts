import { Semaphore } from '../concurrency.ts';
import { asError, errors } from '../errors.ts';
import type { Backup } from './backup.ts';
import { type BackupStore, byAge } from './store.ts';

/** Backups whose descriptions are read at most. */
const maxBackups = 10_000;
/** How long what a backup with all of its data says of itself is used again: people change its name at most. */
const maxAgeMs = 30_000;
const concurrency = 16;

/**
 * Lists of backups for a process that is asked for them often: a store has no index. What was read lately is not read again; what came or
 * went since is noticed by the ids.
 */
export class BackupCatalog {
  private readonly store: BackupStore;
  private readonly known = new Map<string, { backup: Backup; readAt: number }>();
  private reading: Promise<readonly Backup[]> | undefined;

  constructor(store: BackupStore) {
    this.store = store;
  }

  /** Every backup that can be read, the oldest first; requests at once share one reading. Throws ListTooLong, BackupStoreUnavailable. */
  list(): Promise<readonly Backup[]> {
    this.reading ??= this.read().finally(() => {
      this.reading = undefined;
    });
    return this.reading;
  }

  /** It was changed here: it is read anew. */
  forget(id: string): void {
    this.known.delete(id);
  }

  private async read(): Promise<readonly Backup[]> {
    const ids = await this.store.ids();
    if (ids.length > maxBackups) throw errors.listTooLong('a list of backups', maxBackups);
    const present = new Set(ids);
    for (const id of this.known.keys()) if (!present.has(id)) this.known.delete(id);
    const slots = new Semaphore(concurrency);
    const found = await Promise.all(ids.map(async (id) => this.recent(id) ?? slots.run(() => this.readOne(id))));
    return byAge(found.filter((backup) => backup !== undefined));
  }

  private recent(id: string): Backup | undefined {
    const { backup, readAt = -Infinity } = this.known.get(id) ?? {};
    return performance.now() - readAt < maxAgeMs ? backup : undefined;
  }

  /** Undefined for one that is gone, or cannot be read: the command line lists it. */
  private async readOne(id: string): Promise<Backup | undefined> {
    const readAt = performance.now();
    try {
      const backup = await this.store.show(id);
      if (backup.status === 'available') this.known.set(id, { backup, readAt });
      else this.known.delete(id);
      return backup;
    } catch (thrown) {
      const error = asError(thrown);
      if (error.kind === 'unavailable') throw error;
      this.known.delete(id);
      return undefined;
    }
  }
}
