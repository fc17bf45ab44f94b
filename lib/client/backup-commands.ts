import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { copyOut } from './copy-out.ts';
import type { RequestClient } from './request-client.ts';
import { type SnapshotJobRequest, copyAttached, copySnapshot } from './snapshot-job.ts';
import type { SendOptions } from './volume-commands.ts';

/** Commands of volumes and backups. What is under way is a task of the volume. */
export class BackupCommands {
  private readonly place: { store: Store; client: RequestClient; topic: string };

  constructor(store: Store, client: RequestClient, topic: string) {
    this.place = { store, client, topic };
  }

  /** Gives a backup that has no data yet those of a volume: see copyOut(). */
  create(volume: string, backup: string, options: SendOptions = {}): Promise<void> {
    const attached = errors.backupOfAttached;
    return copyOut(this.place, volume, { kind: 'backup', field: 'backup', id: backup, attached }, options);
  }

  /** The same of a snapshot, whose volume can be in use: see copySnapshot(). */
  copySnapshot(snapshot: string, request: Omit<SnapshotJobRequest, 'kind'>, options: SendOptions = {}): Promise<void> {
    return copySnapshot(this.place, snapshot, { kind: 'backup', ...request }, options);
  }

  /** The same of a volume that can be in use: see copyAttached(). */
  copyAttached(volume: string, request: Omit<SnapshotJobRequest, 'kind'>, options: SendOptions = {}): Promise<void> {
    return copyAttached(this.place, volume, { kind: 'backup', ...request }, options);
  }
}
