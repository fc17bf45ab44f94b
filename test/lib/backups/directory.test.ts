import { randomUUID } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { backupOf } from './backup-of.ts';

test('a backup is kept for one that begins with it, also where that cannot be read, and no longer', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'blockstore-backups-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const store = new BackupDirectory(place);
  const first = backupOf();
  const second = backupOf({ parent: first.id });
  for (const one of [first, second]) await store.create(one);
  await writeFile(join(place, second.id, 'backup.json'), '{}');
  await t.throwsAsync(store.remove(first.id), { code: 'BackupNeeded', message: new RegExp(second.id) });
  t.is((await store.show(first.id)).status, 'available');
  t.true(await store.remove(second.id));
  t.true(await store.remove(first.id));
  t.deepEqual(await readdir(place), []);
});

test('a backup of a parent that is being removed, or is not there, leaves nothing', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'blockstore-backups-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const store = new BackupDirectory(place);
  const kept = backupOf({ status: 'creating' });
  await store.create(kept);
  for (const parent of [randomUUID(), kept.id]) {
    await t.throwsAsync(store.create(backupOf({ parent })), { code: 'BackupNotFound' });
  }
  t.deepEqual([await readdir(place), await readdir(join(place, kept.id))], [[kept.id], ['backup.json']]);
});
