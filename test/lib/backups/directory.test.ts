import { randomBytes, randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { BackupDirectory } from '../../../lib/backups/directory.ts';
import { failBackup } from '../../../lib/backups/new-backup.ts';
import { storeVolume } from '../../../lib/backups/store-volume.ts';
import { asError } from '../../../lib/errors.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { mountTmpfs } from '../../support/tmpfs.ts';
import { execa } from 'execa';
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

test('a directory without space is named with its flag, and what was stored there goes', async (t) => {
  const place = await mkdtemp(join(tmpdir(), 'blockstore-backups-'));
  t.teardown(() => rm(place, { recursive: true, force: true }));
  const source = join(place, 'volume');
  await writeFile(source, randomBytes(8 * 2 ** 20));
  await truncate(source, 100 * 2 ** 20);
  const full = join(place, 'full');
  await mkdir(full);
  if (!(await mountTmpfs(t, full, 'size=4m'))) return;
  const store = new BackupDirectory(full);
  const named = { code: 'DirectoryFull', message: new RegExp(`^${full} \\(backup_directory\\) has no space.*ENOSPC`) };
  const backup = backupOf({ status: 'creating', size: 0 });
  await store.create(backup);
  const options = { signal: new AbortController().signal, progress: () => {} };
  const volume = { path: source, sizeBytes: 100 * 2 ** 20 };
  const failure = await t.throwsAsync(storeVolume(new ChildProcesses(), store, backup.id, volume, options), named);
  await failBackup(store, backup.id, asError(failure));
  t.like(await store.show(backup.id), { status: 'error', failure: { code: 'DirectoryFull' } });
  t.is((await stat(join(full, backup.id, 'data'))).size, 0);

  await execa('dd', ['if=/dev/zero', `of=${join(full, 'other')}`, 'bs=4k'], { reject: false });
  await t.throwsAsync(store.create(backupOf()), named);
  t.deepEqual((await readdir(full)).toSorted(), [backup.id, 'other'].toSorted(), 'not the half of another backup');
  await execa('mount', ['-o', 'remount,ro', full]);
  const readOnly = { code: 'DirectoryUnusable', message: new RegExp(`^${full} \\(backup_directory\\) cannot.*EROFS`) };
  await t.throwsAsync(store.create(backupOf()), readOnly);
  await t.throwsAsync(store.remove(backup.id), readOnly);
});
