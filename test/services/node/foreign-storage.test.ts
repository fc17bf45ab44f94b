import { randomUUID } from 'node:crypto';
import test from 'ava';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';
import { Cluster } from '../../support/cluster.ts';
import { insertVolume } from '../../support/records.ts';
import { until } from '../../support/until.ts';

/** A create on storage that exists: it is the volume's own, of which Redis has lost the record, or another volume's. */

let cluster: Cluster;
let store: Store;
let driver: FakeDriver;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  driver = new FakeDriver();
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'bob', projectId: 'project' };
const own = { user: 'bob', project: 'project', size: '1', created: '1700000000000' };
const deadline = { deadlineMs: 20_000 };

/** Returns the id of storage with these labels, which has no record. */
async function unrecorded(labels: Record<string, string>, sizeBytes = sizeInBytes(1)): Promise<string> {
  const id = randomUUID();
  await driver.createVolume({ id, size: 1, sizeBytes, labels });
  return id;
}

const others: Record<string, Record<string, string>> = {
  'another user': { ...own, user: 'alice' },
  'another project': { ...own, project: 'other' },
  'another size': { ...own, size: '2' },
};

for (const [whose, labels] of Object.entries(others)) {
  test.serial(`a create on storage of ${whose} is refused, and leaves it as it is`, async (t) => {
    await cluster.node('n1', { num_shell_tries: '1' }, { driver });
    const commands = await cluster.commands();
    for (const sizeBytes of [sizeInBytes(1), 4096]) {
      const id = await unrecorded(labels, sizeBytes);
      const error = await t.throwsAsync(commands.create({ ...newVolume, id }, deadline), { code: 'VolumeExists' });
      t.regex(error.message, /storage/);
      t.is(await volumesOf(store).find(id), undefined, 'nothing is left of it');
      t.deepEqual((await driver.listVolumes()).find((found) => found.id === id)?.labels, labels);
    }
  });
}

test.serial('a create that a restart resumes is refused on storage of another user as well', async (t) => {
  const id = await unrecorded({ ...own, user: 'alice' });
  await insertVolume(store, { id, userId: 'bob' });
  await cluster.node('n1', {}, { driver });
  await until(async () => (await volumesOf(store).find(id)) === undefined, 'the create ends');
  t.is((await driver.listVolumes())[0]?.labels['user'], 'alice');
  const { findings } = await (await cluster.nodeCommands()).audit('n1', { repair: true, remove: [] }, deadline);
  t.true(findings.every(({ fixed }) => fixed));
  t.like(await volumesOf(store).lookup(id), { status: 'available', userId: 'alice' }, 'its owner has it again');
});

test.serial('a repeated create whose record Redis has lost gets the storage that it made', async (t) => {
  await cluster.node('n1', {}, { driver });
  const commands = await cluster.commands();
  const id = await unrecorded(own);
  t.like(await commands.create({ ...newVolume, id }, deadline), { status: 'available' });
  t.is((await driver.listVolumes()).length, 1);
});
