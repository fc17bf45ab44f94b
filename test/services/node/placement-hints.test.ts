import test from 'ava';
import { setClosed } from '../../../lib/client/drain.ts';
import { MigrationCommands } from '../../../lib/client/migration-commands.ts';
import { createType } from '../../../lib/client/types.ts';
import type { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import type { BackendReport } from '../../../lib/models/backend.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { fakeNode, insertVolume } from '../../support/records.ts';

/** What a refused placement says to do, for each kind of reason. */

let cluster: Cluster;
let store: Store;
let commands: VolumeCommands;
let migrations: MigrationCommands;
test.beforeEach(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  commands = await cluster.commands();
  migrations = new MigrationCommands(store, commands, 'volume');
});
test.afterEach.always(() => cluster.close());

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const ofAoe: Partial<BackendReport> = { target: 'aoe', capabilities: ['migration'] };

async function refusalOf(request: Promise<unknown>): Promise<{ code: string; message: string; hint: string }> {
  return request.then(
    () => ({ code: '', message: 'it was accepted', hint: '' }),
    ({ code, message, hint }) => ({ code, message, hint }),
  );
}

test.serial('the target that an attached volume needs is named, and the way to migrate it', async (t) => {
  await fakeNode(store, 'n1', { backends: [ofAoe] });
  const { id } = await insertVolume(store, { attachStatus: 'attached', status: 'in-use', address: 'e1.0' });
  await fakeNode(store, 'n2', { backends: [{ ...ofAoe, target: 'iscsi-tgt' }] });
  for (const request of [{ to: 'n2' }, {}]) {
    const { code, message, hint } = await refusalOf(migrations.migrate(id, request));
    t.is(code, 'NoUsableBackend');
    t.regex(message, /n2@fake: its target is iscsi-tgt, and the attached volume needs aoe/);
    t.true(hint.startsWith(`detach it first: blockstore volume detach ${id}; or name a backend with target aoe`), hint);
  }
  await fakeNode(store, 'n3', { backends: [ofAoe] });
  await migrations.migrate(id);
  t.is((await volumesOf(store).lookup(id)).status, 'migrating');
});

test.serial('where all nodes are drained, and where others are full, the hint opens one', async (t) => {
  await fakeNode(store, 'n1', { backends: [{}] });
  await setClosed(store, 'n1', true);
  const opens = 'to have a node take volumes again: blockstore node open n1';
  for (const place of [{}, { node: 'n1' }]) {
    const refusal = await refusalOf(commands.create({ ...newVolume, ...place }));
    t.like(refusal, { code: 'NoUsableBackend', hint: opens });
    t.regex(refusal.message, /n1@fake: takes no further volumes: its node is being drained/);
  }
  await fakeNode(store, 'n2', { backends: [{ capacityBytes: 1 }] });
  t.like(await refusalOf(commands.create(newVolume)), {
    code: 'NoSpace',
    hint: `delete volumes, add a disk to a pool, or add a node; ${opens}`,
  });
});

test.serial('what is asked for, the nodes that it is apart from, and problems each have a hint', async (t) => {
  await fakeNode(store, 'n1', { backends: [{}] });
  const { id } = await commands.create(newVolume);
  const type = await createType(store, { name: 'fast', requirements: { backend: 'fast' } });
  const ask = 'ask for another type, zone or backend, or add a backend that has all of it';
  for (const asked of [{ type: type.id }, { zone: 'z2' }]) {
    t.like(await refusalOf(commands.create({ ...newVolume, ...asked })), { code: 'NoUsableBackend', hint: ask });
  }
  const apart = await refusalOf(commands.create({ ...newVolume, apartFrom: [id] }));
  t.like(apart, { code: 'NoUsableBackend', hint: 'add another node' });
  await fakeNode(store, 'n2', { backends: [{ accepting: false, problem: 'a disk is absent' }] });
  const both = await refusalOf(commands.create({ ...newVolume, apartFrom: [id] }));
  t.regex(both.message, /(?=.*n1@fake: its node has volume)(?=.*n2@fake: a disk is absent)/);
  t.regex(both.hint, /^add another node; fix what the message names/);
});
