import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { fileOfKnownUuid, readKnownUuid, writeKnownUuid } from '../../../../lib/drivers/lvm/known-uuid.ts';

const uuid = 'Nje91c-OfFn-QRf2-tUY7-crDH-Q2qr-qLlx2g';

test('the UUID of a group is known from its first opening on; a file without one says nothing', async (t) => {
  const root = await mkdtemp(path.join(tmpdir(), 'known-uuid-'));
  t.teardown(() => rm(root, { recursive: true }));
  const directory = path.join(root, 'group');
  t.is(await readKnownUuid(directory), undefined);
  await writeKnownUuid(directory, uuid);
  t.is(await readKnownUuid(directory), uuid);
  for (const text of ['', '\n', '\0'.repeat(39), uuid.slice(0, 20), `${uuid}${uuid}`]) {
    await writeFile(fileOfKnownUuid(directory), text);
    t.is(await readKnownUuid(directory), undefined, JSON.stringify(text));
  }
});
