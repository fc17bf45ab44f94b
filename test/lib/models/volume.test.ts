import test from 'ava';
import * as fc from 'fast-check';
import { asError } from '../../../lib/errors.ts';
import { editOf, isAllowed } from '../../../lib/models/volume-edit.ts';
import { contradiction } from '../../../lib/models/volume-state.ts';
import { checkSize, volumesOf } from '../../../lib/models/volume.ts';
import { redisTime } from '../../../lib/redis/redis-time.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { instancesOf, newAttachment, usesOf } from '../../support/attachments.ts';
import { insertVolume, loseRecord, transit } from '../../support/records.ts';
import { until } from '../../support/until.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.after.always(() => cluster.close());

// One at a time: generating values blocks this process, and a command that waits meanwhile reaches its time limit.
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', hostName: 'h1' };

const inProject = (projectId: string) => store.keys.projectVolumes(projectId);
const idsIn = (projectId: string) => Array.fromAsync(volumesOf(store).iterate(inProject(projectId)), ({ id }) => id);

test.serial('a new record has the defaults', async (t) => {
  const volume = await insertVolume(store);
  t.like(volume, {
    status: 'creating',
    attachStatus: 'detached',
    task: { kind: 'create' },
    address: '',
    attachments: [],
    attachMode: 'rw',
    attachHosts: [],
    attempts: 0,
    deleteOnTermination: false,
    fault: undefined,
  });
  t.true(Math.abs(volume.createTime - Date.now()) < 60_000);
  await t.throwsAsync(insertVolume(store, { id: volume.id }), { message: /exists/ });
});

test.serial('records are listed by page in order of creation, also those of one millisecond', async (t) => {
  const records = volumesOf(store);
  const index = inProject('paged');
  await Promise.all(Array.from({ length: 250 }, () => insertVolume(store, { projectId: 'paged' })));
  t.is(await records.count(index), 250);
  for (const limit of [1, 7, 100, 250, 1000]) {
    const listed: string[] = [];
    let marker: string | undefined;
    do {
      const page = await records.page(index, { limit, ...(marker === undefined ? {} : { marker }) });
      t.true(page.states.length <= limit);
      listed.push(...page.states.map(({ id }) => id));
      marker = page.next;
    } while (marker !== undefined);
    t.is(new Set(listed).size, 250, `each once, ${limit} at a time`);
    t.is(listed.length, 250);
  }
  const times = await Array.fromAsync(records.iterate(index), ({ createTime }) => createTime);
  t.deepEqual(
    times,
    times.toSorted((one, other) => one - other),
  );
});

test.serial('a record that comes or goes between two pages moves no other to another page', async (t) => {
  const records = volumesOf(store);
  const index = inProject('moving');
  for (let count = 0; count < 6; count += 1) await insertVolume(store, { projectId: 'moving' });
  const all = await idsIn('moving');
  const first = await records.page(index, { limit: 3 });
  await loseRecord(store, all[0] ?? '');
  const { createTime } = await records.lookup(all.at(-1) ?? '');
  await until(async () => (await redisTime(store)) > createTime, 'a further one is made later than all');
  await insertVolume(store, { projectId: 'moving' });
  const { next = '' } = first;
  const second = await records.page(index, { limit: 3, marker: next });
  t.deepEqual(
    [...first.states, ...second.states].map(({ id }) => id),
    all,
  );
});

test.serial('attach and detach change both statuses, and clear what belongs to the attachment', async (t) => {
  const { id } = await insertVolume(store, { status: 'available' });
  t.like(await transit(store, id, 'startAttach', { attachment }), {
    status: 'in-use',
    attachStatus: 'attaching',
    task: { kind: 'attach' },
  });
  t.like(await usesOf(store, id), [{ ...attachment, status: 'attaching' }]);
  const attached = await transit(store, id, 'finishAttach');
  t.like(attached, { status: 'in-use', attachStatus: 'attached', task: undefined, taskText: '' });
  t.like(await usesOf(store, id), [{ status: 'attached' }]);
  t.like(await transit(store, id, 'startDetach'), { attachStatus: 'detaching' });
  t.like(await usesOf(store, id), [{ instanceId: 'i-1', status: 'detaching' }]);
  t.like(await transit(store, id, 'finishDetach'), {
    status: 'available',
    attachStatus: 'detached',
    attachments: [],
    attachment: '',
  });
  await transit(store, id, 'startDelete');
  t.is(await transit(store, id, 'finishDelete'), undefined);
});

test.serial('a volume in error stays so through a detach, with its fault', async (t) => {
  const fault = { code: 'StorageMissing', kind: 'failed' as const, message: 'gone' };
  const { id } = await insertVolume(store, { status: 'in-use', attachStatus: 'attached', ...attachment });
  t.like(await transit(store, id, 'markMissing', { fault }), { status: 'error', attachStatus: 'attached', fault });
  t.like(await transit(store, id, 'startDetach'), { status: 'error', attachStatus: 'detaching', fault });
  t.like(await transit(store, id, 'finishDetach'), {
    status: 'error',
    attachStatus: 'detached',
    fault,
    attachments: [],
  });
});

test.serial('a transition that is not allowed from a status is refused', async (t) => {
  const creating = await insertVolume(store);
  for (const name of ['finishCreate', 'failCreate', 'loseNode'] as const) t.true(isAllowed(name, creating));
  for (const name of ['startAttach', 'startDelete', 'startDetach'] as const) t.false(isAllowed(name, creating));
  const available = await insertVolume(store, { status: 'available' });
  for (const name of ['finishAttach', 'startDetach', 'finishDelete'] as const) t.false(isAllowed(name, available));
  for (const name of ['startAttach', 'startDelete'] as const) t.true(isAllowed(name, available));
});

test.serial('every transition leads from one consistent pair of statuses to another', async (t) => {
  const { id } = await insertVolume(store, { status: 'available' });
  const steps = ['startAttach', 'finishAttach', 'startDetach', 'failDetach', 'startDetach', 'finishDetach'] as const;
  for (const name of [...steps, 'startAttach', 'failAttach', 'startDelete', 'failDelete', 'startDelete'] as const) {
    const volume = await transit(store, id, name, name === 'startAttach' ? { attachment } : {});
    t.is(volume && contradiction(volume), undefined, name);
  }
});

test.serial('of many that attach at once, one succeeds', async (t) => {
  const volume = await insertVolume(store, { status: 'available' });
  const attempts = Array.from({ length: 20 }, async (_, index) => {
    const { id, edit } = newAttachment(volume.id, { instanceId: `i-${index}` }, 'attaching');
    const set = { attachments: id, attachment: id };
    const { word } = await commit(store, { edits: [editOf(volume, 'startAttach', { set }), edit] });
    return word === 'ok' ? [index] : [];
  });
  const winners = (await Promise.all(attempts)).flat();
  t.is(winners.length, 1);
  t.deepEqual(await instancesOf(store, volume.id), [`i-${winners[0]}`]);
});

test.serial('the end of a task applies to that task alone', async (t) => {
  const { id } = await insertVolume(store, { status: 'available' });
  await transit(store, id, 'startAttach', { attachment });
  const first = await volumesOf(store).lookup(id);
  await transit(store, id, 'failAttach', { fault: { code: 'ExportFailed', kind: 'failed', message: 'x' } });
  await transit(store, id, 'startAttach', { attachment });
  t.like(await commit(store, { edits: [editOf(first, 'finishAttach')] }), { word: 'changed' });
  t.like(await volumesOf(store).lookup(id), { attachStatus: 'attaching' });
});

test.serial('sizes other than whole GiB from 0 to 1000 are refused', (t) => {
  // Not t.throws for each: it reads stacks, and for seconds nothing else in this process goes on.
  const refusal = (size: number) => {
    try {
      checkSize(size);
      return undefined;
    } catch (error) {
      return asError(error).code;
    }
  };
  fc.assert(
    fc.property(fc.oneof(fc.double(), fc.integer({ min: 1001 }), fc.integer({ max: -1 })), (size) => {
      fc.pre(!(Number.isInteger(size) && size >= 0 && size <= 1000));
      return refusal(size) === 'InvalidSize';
    }),
  );
  t.deepEqual([0, 1000, 1001, 0.5].map(refusal), [undefined, undefined, 'InvalidSize', 'InvalidSize']);
});

test.serial('texts of any kind come back as they were', async (t) => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ minLength: 1, unit: 'binary' }),
      fc.string({ minLength: 1, unit: 'grapheme' }),
      async (name, userId) => {
        fc.pre(!name.includes('\0'));
        const volume = await insertVolume(store, { name, userId });
        t.is(volume.name, name);
        t.is(volume.userId, userId);
        await loseRecord(store, volume.id);
      },
    ),
    { numRuns: 50 },
  );
});
