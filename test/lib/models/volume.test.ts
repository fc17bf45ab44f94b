import test from 'ava';
import * as fc from 'fast-check';
import { findVolume } from '../../../lib/models/find-volume.ts';
import { Volume } from '../../../lib/models/volume.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  await cluster.node('n1', { report_interval: '3600', node_down_time: '86400' });
  store = await cluster.store();
});
test.after.always(() => cluster.close());

const wanted = { size: 1, userId: 'user', projectId: 'project' };

async function saved(more: { name?: string; projectId?: string } = {}): Promise<Volume> {
  const volume = Volume.create(store, { ...wanted, ...more });
  await volume.save();
  return volume;
}

/** As the node makes it: available. */
async function available(): Promise<Volume> {
  const commands = await cluster.commands();
  const { id } = await commands.create(wanted, { deadlineMs: 10_000 });
  return Volume.lookup(store, id);
}

test('a new record has the defaults and is not in Redis until it is saved', async (t) => {
  const volume = Volume.create(store, wanted);
  t.true(volume.isNewRecord);
  t.like(volume.state, { status: 'creating', attachStatus: 'detached', node: '', deleteOnTermination: false });
  await t.throwsAsync(Volume.lookup(store, volume.identifier), { code: 'VolumeNotFound' });
  await volume.save();
  t.false(volume.isNewRecord);
  t.deepEqual((await Volume.lookup(store, volume.identifier)).state, volume.state);
  await t.throwsAsync(volume.save(), { code: 'VolumeExists' });
  await volume.destroy();
});

test('destroy takes the record out of every index, and absent is success', async (t) => {
  const volume = await saved({ name: 'to-destroy', projectId: 'destroyed' });
  await volume.destroy();
  await volume.destroy();
  t.deepEqual(await Array.fromAsync(Volume.records(store).associatedTo('project', 'destroyed')), []);
  await t.throwsAsync(findVolume(store, 'to-destroy'), { code: 'VolumeNotFound' });
  await t.throwsAsync(findVolume(store, volume.identifier), { code: 'VolumeNotFound' });
});

test('records are listed by page in order of creation, also those of one millisecond', async (t) => {
  const records = Volume.records(store);
  const of = { type: 'project', id: 'paged' };
  const made = await Promise.all(Array.from({ length: 250 }, () => saved({ projectId: 'paged' })));
  t.is(await records.count(of), 250);
  for (const limit of [1, 7, 100, 250, 1000]) {
    const listed: string[] = [];
    let marker: string | undefined;
    do {
      const page = await records.page({ limit, of, ...(marker === undefined ? {} : { marker }) });
      t.true(page.states.length <= limit);
      listed.push(...page.states.map(({ id }) => id));
      marker = page.next;
    } while (marker !== undefined);
    t.is(new Set(listed).size, 250, `each once, ${limit} at a time`);
    t.is(listed.length, 250);
  }
  const times = await Array.fromAsync(records.associatedTo('project', 'paged'), ({ createTime }) => createTime);
  t.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
  for (const volume of made) await volume.destroy();
});

test('what is made or removed between two pages moves nothing to another page', async (t) => {
  const records = Volume.records(store);
  const of = { type: 'project', id: 'moving' };
  const made: Volume[] = [];
  for (let count = 0; count < 6; count += 1) made.push(await saved({ projectId: 'moving' }));
  const all = await Array.fromAsync(records.associatedTo('project', 'moving'), ({ id }) => id);
  const first = await records.page({ limit: 3, of });
  await made.find((volume) => volume.identifier === all[0])?.destroy();
  await saved({ projectId: 'moving' });
  const { next = '' } = first;
  const second = await records.page({ limit: 3, of, marker: next });
  t.deepEqual(
    [...first.states, ...second.states].map(({ id }) => id),
    all,
  );
});

test('the four attach transitions, and their refusals', async (t) => {
  const volume = await available();
  const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', hostName: 'h1' };
  await t.throwsAsync(volume.finishAttach(), { code: 'WrongStatus' });
  await t.throwsAsync(volume.startDetach(), { code: 'VolumeNotAttached' });
  await volume.startAttach(attachment);
  t.like(volume.state, { status: 'in-use', attachStatus: 'attaching', ...attachment });
  await t.throwsAsync(volume.startAttach(attachment), { code: 'VolumeAttached', message: /is attached to i-1/ });
  await t.throwsAsync(volume.startDetach(), {
    code: 'WrongStatus',
    message: `volume ${volume.identifier} is attaching; the operation requires attached`,
  });
  await volume.finishAttach();
  t.like(volume.state, { status: 'in-use', attachStatus: 'attached' });
  await t.throwsAsync(volume.startDelete(), { code: 'VolumeAttached' });
  await volume.startDetach();
  t.like(volume.state, { status: 'in-use', attachStatus: 'detaching', instanceId: 'i-1' });
  await volume.finishDetach();
  t.like(volume.state, { status: 'available', attachStatus: 'detached', instanceId: '', mountpoint: '', hostName: '' });
  await t.throwsAsync(volume.finishDetach(), { code: 'WrongStatus' });
});

test('of many who attach at once, one succeeds', async (t) => {
  const { identifier } = await available();
  const attempts = Array.from({ length: 20 }, async (_, index) => {
    const volume = await Volume.lookup(store, identifier);
    await volume.startAttach({ instanceId: `i-${index}`, mountpoint: '/dev/vdb' });
    return index;
  });
  const winners = (await Promise.allSettled(attempts)).flatMap((end) =>
    end.status === 'fulfilled' ? [end.value] : [],
  );
  t.is(winners.length, 1);
  t.is((await Volume.lookup(store, identifier)).state.instanceId, `i-${winners[0]}`);
});

test('a change for another node, or with an old fence, is refused and changes nothing', async (t) => {
  const volume = await available();
  const before = (await Volume.lookup(store, volume.identifier)).state;
  await t.throwsAsync(volume.change('lose', { owner: { node: 'n1', fence: '0' } }), { code: 'Fenced' });
  await store.redis.hset(store.keys.node('n2'), 'fence', '1');
  await t.throwsAsync(volume.change('lose', { owner: { node: 'n2', fence: '1' } }), { code: 'NotLocal' });
  await store.redis.del(store.keys.node('n2'));
  t.deepEqual((await Volume.lookup(store, volume.identifier)).state, before);
});

test('sizes other than whole GiB from 0 to 1000 are refused', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.integer({ min: 1001 }), fc.integer({ max: -1 })), (size) => {
      fc.pre(!(Number.isInteger(size) && size >= 0 && size <= 1000));
      t.throws(() => Volume.create(store, { ...wanted, size }), { code: 'InvalidSize' });
    }),
  );
  t.notThrows(() => Volume.create(store, { ...wanted, size: 1000 }));
});

test('texts of any kind come back as they were', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.string({ unit: 'grapheme' }),
      async (name, userId) => {
        fc.pre(!name.includes('\0'));
        const volume = Volume.create(store, { ...wanted, name, userId });
        await volume.save();
        const { state } = await Volume.lookup(store, volume.identifier);
        t.is(state.name, name);
        t.is(state.userId, userId);
        await volume.destroy();
      },
    ),
    { numRuns: 50 },
  );
});
