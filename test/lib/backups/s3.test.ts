import { randomBytes, randomUUID } from 'node:crypto';
import { open, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { Backup } from '../../../lib/backups/backup.ts';
import { openBackupStore } from '../../../lib/backups/open-store.ts';
import { restoreVolume } from '../../../lib/backups/restore-volume.ts';
import { storeVolume } from '../../../lib/backups/store-volume.ts';
import type { BackupStore } from '../../../lib/backups/store.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { ObjectGateway, withoutGateway } from '../../support/object-gateway.ts';

/** Backups in a bucket of a real service: Ceph's gateway. */

const real = withoutGateway === undefined ? test.serial : test.serial.skip;
const MiB = 2 ** 20;
const volumeBytes = 100 * MiB;
const processes = new ChildProcesses();
const options = { signal: new AbortController().signal, progress: () => {} };

let gateway: ObjectGateway;
let directory: string;
let store: BackupStore;

test.before(async () => {
  if (withoutGateway !== undefined) return;
  gateway = await ObjectGateway.start();
  directory = await mkdtemp(join(tmpdir(), 'backups-'));
  store = storeAt(`${gateway.url}/of/cluster`);
});
test.after.always(async () => {
  await gateway?.stop();
  if (directory) await rm(directory, { recursive: true });
});

function storeAt(url: string, file = gateway.keyFile): BackupStore {
  return openBackupStore({
    backup_s3_url: url,
    backup_s3_region: 'us-east-1',
    backup_s3_key_file: file,
    backup_directory: '',
  });
}

const volume = randomUUID();

async function backUp(path: string, parent: string | null = null): Promise<Backup> {
  const id = randomUUID();
  const own = { id, name: 'night', volume, volumeName: 'data', userId: 'user', projectId: 'project', size: 0 };
  const none = { status: 'creating', checksum: null, storedBytes: 0 } as const;
  await store.create({ ...own, ...none, parent, createTime: Date.now() });
  await storeVolume(processes, store, id, { path, sizeBytes: volumeBytes }, options);
  return store.show(id);
}

/** More than two objects of data, with zeros between. */
async function fileWithData(): Promise<{ path: string; data: Buffer }> {
  const path = join(directory, randomUUID());
  const data = Buffer.alloc(volumeBytes);
  randomBytes(40 * MiB).copy(data, 3 * MiB);
  randomBytes(30 * MiB).copy(data, volumeBytes - 30 * MiB);
  await using file = await open(path, 'w');
  await file.write(data);
  return { path, data };
}

async function restored(id: string): Promise<Buffer> {
  const path = join(directory, randomUUID());
  await using file = await open(path, 'w');
  await file.truncate(volumeBytes);
  await restoreVolume(processes, store, id, { path, sizeBytes: volumeBytes, isBlank: true }, options);
  return readFile(path);
}

real('a volume is stored, whole and what has changed since, listed, restored, and deleted in order', async (t) => {
  t.timeout(300_000);
  const { path, data } = await fileWithData();
  const full = await backUp(path);
  t.true(full.storedBytes >= 70 * MiB && full.storedBytes < 84 * MiB, String(full.storedBytes));
  await using file = await open(path, 'r+');
  await file.write(randomBytes(4096), 0, 4096, 50 * MiB);
  const next = await backUp(path, full.id);
  t.is(next.storedBytes, 4 * MiB);
  t.deepEqual(
    (await store.list()).map(({ id }) => id),
    [full.id, next.id],
  );
  t.true((await restored(full.id)).equals(data));
  t.true((await restored(next.id)).equals(await readFile(path)));
  t.deepEqual(await storeAt(gateway.url).list(), [], 'another beginning of names is another place');

  await t.throwsAsync(store.remove(full.id), { code: 'BackupNeeded', message: new RegExp(next.id) });
  t.is((await store.show(full.id)).status, 'available');
  await store.remove(next.id);
  await store.remove(full.id);
  await store.remove(full.id);
  t.deepEqual(await store.list(), []);
  await t.throwsAsync(store.show(full.id), { code: 'BackupNotFound', message: /backups\/of\/cluster/ });
});

real('one that is removed while it is written leaves nothing, and does not come back', async (t) => {
  const { path } = await fileWithData();
  const id = randomUUID();
  const own = { id, name: 'night', volume, volumeName: '', userId: 'user', projectId: 'project', size: 0 };
  const none = { status: 'creating', parent: null, checksum: null, storedBytes: 0 } as const;
  await store.create({ ...own, ...none, createTime: Date.now() });
  const check = async () => void (await store.remove(id));
  const storing = storeVolume(processes, store, id, { path, sizeBytes: volumeBytes }, { ...options, check });
  await t.throwsAsync(storing, { code: 'BackupNotFound' });
  t.false(await store.remove(id), 'there is nothing of it');

  await store.create({ ...own, ...none, size: 1, createTime: Date.now() });
  await t.throwsAsync(storeVolume(processes, store, id, { path, sizeBytes: volumeBytes }, options), {
    code: 'BackupDamaged',
    message: /for a volume of 1 GiB/,
  });
  t.true(await store.remove(id));
});

real('an id is given once, and a parent must be there', async (t) => {
  const { path } = await fileWithData();
  const one = await backUp(path);
  await t.throwsAsync(store.create({ ...one, status: 'creating' }), { code: 'BackupExists' });
  const other = { ...one, id: randomUUID(), parent: randomUUID(), status: 'creating' } as const;
  await t.throwsAsync(store.create(other), { code: 'BackupNotFound' });
  await t.throwsAsync(store.show(other.id), { code: 'BackupNotFound' });
  await store.remove(one.id);
});

real('wrong keys, a bucket that is not there, and no service are named', async (t) => {
  t.timeout(300_000);
  const wrong = join(directory, 'wrong');
  await using file = await open(wrong, 'w');
  await file.write('ACCESS WRONG');
  const refused = storeAt(gateway.url, wrong);
  await t.throwsAsync(refused.list(), { code: 'BackupStoreUnavailable', message: /HTTP 403, SignatureDoesNotMatch/ });
  const absent = storeAt(gateway.url.replace('backups', 'absent'));
  await t.throwsAsync(absent.list(), { code: 'BackupStoreUnavailable', message: /NoSuchBucket/ });
  await t.throwsAsync(absent.show(randomUUID()), { code: 'BackupStoreUnavailable', message: /bucket does not exist/ });
  await t.throwsAsync(storeAt(gateway.url, join(directory, 'none')).list(), {
    code: 'BackupStoreUnavailable',
    message: /backup_s3_key_file: .*ENOENT/,
  });
});
