import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ImageCommands } from '../../../lib/client/image-commands.ts';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../../lib/client/snapshot-commands.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { FakeDriver } from '../../../lib/drivers/fake/driver.ts';
import { passphraseOf } from '../../../lib/encryption/passphrase.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { disagreements } from '../../support/agreement.ts';
import { Cluster } from '../../support/cluster.ts';

/** What the cluster knows of volumes that their hosts encrypt. */

const deadline = { deadlineMs: 10_000 };
const newVolume = { size: 1, userId: 'user', projectId: 'project' };

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
const driver = new FakeDriver();
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
  await cluster.node('n1', { report_interval: '600', node_down_time: '3600' }, { driver });
});
test.after.always(() => cluster.close());

test.serial('copies and snapshots have the key of their source, and count as formatted', async (t) => {
  const { id, encryptionKey, isFormatted } = await commands.create({ ...newVolume, isEncrypted: true }, deadline);
  t.deepEqual([encryptionKey, isFormatted], [id, false]);
  const copy = await commands.create({ ...newVolume, fromVolume: id }, deadline);
  t.like(copy, { encryptionKey: id, isFormatted: true });
  const snapshots = new SnapshotCommands(store, new RequestClient(store), 'volume');
  const snapshot = await snapshots.create(copy.id, { userId: 'user', projectId: 'project' }, deadline);
  const second = await commands.create({ ...newVolume, fromSnapshot: snapshot.id }, deadline);
  t.like(second, { encryptionKey: id, isFormatted: true });
  t.true((await commands.update(id, { isFormatted: true })).isFormatted);
});

test.serial('an emptied Redis has the key again, and the volume is not formatted a second time', async (t) => {
  const { id } = await commands.create({ ...newVolume, isEncrypted: true }, deadline);
  const { redis, keys } = store;
  const [record] = [await redis.hgetall(keys.volume(id))];
  t.is(record['encryptionKey'], id);
  await cluster.node('n2', {}, { driver: new FakeDriver() });
  const label = (await driver.listVolumes()).find((one) => one.id === id)?.labels['key'];
  t.is(label, id);
  await redis.hdel(keys.volume(id), 'encryptionKey');
  const nodes = await cluster.nodeCommands();
  const { findings } = await nodes.audit('n1', { repair: true, remove: [] }, deadline);
  t.like(findings, [{ what: 'lacks the key of its storage', fixed: true }]);
  t.like(await volumesOf(store).lookup(id), { encryptionKey: id, isFormatted: true });
  t.deepEqual((await nodes.audit('n1', { repair: false, remove: [] }, deadline)).findings, []);
});

test.serial('what cannot be encrypted is refused', async (t) => {
  const plain = await commands.create(newVolume, deadline);
  const { id } = await commands.create({ ...newVolume, isEncrypted: true }, deadline);
  const refused = { code: 'VolumeEncrypted' };
  await t.throwsAsync(commands.create({ ...newVolume, isEncrypted: true, fromVolume: plain.id }, deadline), refused);
  await t.throwsAsync(commands.create({ ...newVolume, isEncrypted: true, isMultiattach: true }, deadline), refused);
  await t.throwsAsync(commands.create({ ...newVolume, isEncrypted: true, fromImage: plain.id }, deadline), refused);
  await t.throwsAsync(commands.create({ ...newVolume, encryptionKey: 'x' }, deadline), { code: 'InvalidArgument' });
  await t.throwsAsync(commands.create({ ...newVolume, encryptionKey: id }, deadline), { code: 'InvalidArgument' });
  await t.throwsAsync(commands.update(id, { isMultiattach: true }), refused);
  const client = new RequestClient(store);
  await t.throwsAsync(new ImageCommands(store, client, 'volume').upload(id, plain.id, deadline), refused);
  t.is((await volumesOf(store).lookup(id)).status, 'available');
  t.deepEqual(await disagreements(store, [{ node: 'n1', volumes: await driver.listVolumes() }]), []);
});

test.serial('a passphrase needs the file, and is another one for each key', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-key-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'key');
  const of = (key: string) => passphraseOf(file, 'v', key);
  t.throws(() => passphraseOf('', 'v', 'k'), { code: 'EncryptionKeyMissing', message: /is not set/ });
  t.throws(() => of('k'), { code: 'EncryptionKeyMissing', message: /does not exist/ });
  await writeFile(file, 'x'.repeat(31));
  t.throws(() => of('k'), { code: 'EncryptionKeyMissing', message: /31 bytes/ });
  await writeFile(file, 'x'.repeat(32));
  t.regex(of('k'), /^[0-9a-f]{64}$/);
  t.is(of('k'), of('k'));
  t.not(of('k'), of('l'));
});
