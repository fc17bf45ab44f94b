import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import {
  readAttribute,
  readIfExists,
  readIfExistsSync,
  removeFile,
  replaceFile,
  statIfExists,
} from '../../lib/files.ts';

let directory: string;
test.beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-files-'));
});
test.afterEach.always(() => rm(directory, { recursive: true }));

test.serial('an absent file is returned as a value; any other failure is an error', async (t) => {
  const absent = join(directory, 'absent');
  t.is(await readIfExists(absent), undefined);
  t.is(readIfExistsSync(absent), undefined);
  t.is(await statIfExists(absent), undefined);
  await t.notThrowsAsync(removeFile(absent));
  await t.throwsAsync(readIfExists(directory), { code: 'EISDIR' });
  t.throws(() => readIfExistsSync(directory), { code: 'EISDIR' });
  await t.throwsAsync(removeFile(directory), { message: /EISDIR|EPERM/ });
});

test('an attribute of a device that cannot give it is absent', async (t) => {
  const files = [
    '/sys/class/net/lo/speed', // EINVAL, as of an interface that is being removed
    '/proc/uptime/address', // ENOTDIR, as of /sys/class/net/bonding_masters/address
  ];
  for (const file of files) {
    t.is(await readAttribute(file), undefined);
    t.is(readIfExistsSync(file), undefined);
  }
});

test.serial('a file is replaced atomically', async (t) => {
  const file = join(directory, 'file');
  await writeFile(file, 'old text that is longer');
  for (const flush of [false, true]) {
    await replaceFile(file, `new ${flush}`, { flush });
    t.is(await readFile(file, 'utf8'), `new ${flush}`);
    t.deepEqual(await readdir(directory), ['file']);
  }
});
