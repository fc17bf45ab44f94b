import { randomUUID } from 'node:crypto';
import { newBackup } from '../../lib/backups/new-backup.ts';
import type { BackupStore } from '../../lib/backups/store.ts';
import type { Recording } from '../../lib/client/volume-commands.ts';
import { errors } from '../../lib/errors.ts';
import type { Context } from '../context.ts';
import { followProgress } from '../volume/follow-progress.ts';
import { withProgress } from '../volume/follow.ts';
import { waitsForEnd } from '../volume/wait-options.ts';
import { type CopyOutOptions, copyDataOut, copySource } from '../snapshot/copy-out.ts';
import { openBackupStore } from '../../lib/backups/open-store.ts';
import { backupJson } from './present.ts';

export interface CreateBackupOptions extends CopyOutOptions {
  name?: string;
  incremental?: true;
  id?: string;
}

/** Prints the id. The id is generated here, so that an interrupted call still knows it. */
export async function createBackup(context: Context, reference: string, options: CreateBackupOptions): Promise<void> {
  const { id = randomUUID(), incremental = false, name } = options;
  const { output } = context;
  await using session = await context.open();
  const source = await copySource(session, reference, options);
  const { volume, size } = source;
  const store = openBackupStore(session.flags);
  const parent = incremental ? await lastOf(store, volume.id) : null;
  if (incremental && parent === null) output.note(`volume ${volume.id} has no backup yet: this one is complete`);
  const snapshot = source.snapshot === undefined ? {} : { snapshot: source.snapshot };
  const own = { id, name: name ?? (volume.name || volume.id), parent, ...snapshot };
  const discard = () => store.remove(id);
  const made = newBackup({ ...volume, size }, own);
  const make = async () => {
    await store.create(made);
    return true;
  };
  const ofVolume = (recording: Recording) =>
    withProgress(output, session.store, volume.id, () =>
      followProgress(session, volume.id, options, 'backup', (send) =>
        session.backups.create(volume.id, id, { ...send, recording }),
      ),
    );
  const isDone = async () => (await store.show(id)).status === 'available';
  const later = `the backup may get its data yet: blockstore backup show ${id}`;
  const isOwnId = options.id === undefined;
  const copy = { kind: 'backup', target: id, isOwnId, make, isDone, ofVolume, discard, later } as const;
  await copyDataOut(context, session, source, options, copy);
  const backup = await store.show(id);
  if (waitsForEnd(options) && backup.status !== 'available')
    throw errors.changeLost(volume.id, 'backup', volume.status);
  if (output.json) await output.document(backupJson(backup));
  else await output.line(id);
}

/** The last complete one. */
async function lastOf(store: BackupStore, volume: string): Promise<string | null> {
  const own = (await store.list()).filter((backup) => backup.volume === volume && backup.status === 'available');
  return own.at(-1)?.id ?? null;
}
