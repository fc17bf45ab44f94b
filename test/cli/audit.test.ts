import { randomUUID } from 'node:crypto';
import test from 'ava';
import { lookupNode } from '../../lib/models/node.ts';
import { commit } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { fakeNode, loseRecord } from '../support/records.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
let store: Store;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
  store = await place.store();
});
test.after.always(() => place.close());

test.serial('audit lists differences, and fixes them with --repair', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  const clean = await place.run('audit');
  t.like(clean, { exitCode: 0, stdout: '', stderr: 'no differences' });

  await loseRecord(store, id);
  await store.redis.zadd(store.keys.volumes(), 1, 'gone');
  const found = await place.run('audit');
  t.is(found.exitCode, 1);
  t.regex(found.stdout, /^WHERE +DIFFERENCE +FIX$/m);
  t.regex(
    found.stdout,
    /^Redis +entry gone is in the index volumes and no record accounts for it +remove it from the index$/m,
  );
  t.regex(found.stdout, new RegExp(`^n1 +volume ${id} has storage but no record +make its record again$`, 'm'));
  t.is(found.stderr, '"blockstore audit --repair" fixes 2 of 2 differences');

  const repaired = await place.run('audit', '--repair');
  t.is(repaired.exitCode, 0);
  t.regex(repaired.stdout, /fixed: make its record again$/m);
  t.like(await place.json('volume', 'show', id), { size: 1, status: 'available', node: 'n1' });
  t.deepEqual(await place.json('audit'), { findings: [], notAudited: [], notExamined: [], notCompared: [] });
});

test.serial('audit repairs a counter of a node that makes the record of the node unreadable', async (t) => {
  await store.redis.hset(store.keys.backend('n1@fake'), 'allocatedBytes', 'abc');
  const found = await place.run('audit');
  t.is(found.exitCode, 1);
  t.regex(found.stdout, /^n1 +backend n1@fake counts abc as allocated, .* +correct the counter$/m);
  t.is((await place.run('audit', '--repair')).exitCode, 0);
  t.is((await lookupNode(store, 'n1')).state, 'up');
  await store.redis.hset(store.keys.node('gone'), 'createTime', '1', 'reportTime', 'noon');
  await store.redis.zadd(store.keys.nodes(), 1, 'gone');
  const gone = await place.run('audit', '-q');
  t.is(gone.exitCode, 7);
  t.is(gone.stderr, 'not examined: node gone');
  await store.redis.del(store.keys.node('gone'));
  await store.redis.zrem(store.keys.nodes(), 'gone');
});

test.serial('audit finds keys that somebody gave a time to live, and removes it with --repair', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  const given = ['volumes', 'nodes', 'node:n1', `volume:${id}`].map((name) => store.keys.prefix + name);
  for (const key of given) await store.redis.expire(key, 600);
  await store.redis.zadd(store.keys.volumes(), 1, 'gone');
  const found = await place.run('audit');
  t.is(found.exitCode, 1);
  for (const key of given) {
    t.true(found.stdout.includes(`key ${key} has a time to live: Redis is going to remove it`), found.stdout);
  }
  t.regex(found.stdout, /entry gone is in the index volumes/, 'the index is examined nevertheless');
  t.is((await place.run('audit', '--repair')).exitCode, 0);
  t.deepEqual(await Promise.all(given.map((key) => store.redis.ttl(key))), [-1, -1, -1, -1]);
  t.is((await place.run('audit')).stderr, 'no differences');
});

test.serial('rebuild restores lost records', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '2', '--project', 'web');
  await loseRecord(store, id);
  t.is((await place.run('rebuild')).stdout, 'restored 1 record');
  t.like(await place.json('volume', 'show', id), { size: 2, projectId: 'web', status: 'available' });
  t.deepEqual(await place.json('rebuild'), {
    restored: [],
    failed: [],
    notAudited: [],
    notExamined: [],
    notCompared: [],
  });
});

test.serial('rebuild --json names what is a volume and what is a snapshot', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  const { stdout: snapshot } = await place.run('snapshot', 'create', id);
  await commit(store, { edits: [{ kind: 'snapshot', id: snapshot, remove: true }] });
  t.like(await place.json('rebuild'), { restored: [{ node: 'n1', snapshot }], failed: [] });
  await place.run('volume', 'delete', '--cascade', id);
});

test.serial(
  'audit --remove of a volume that has a record, or no storage, reports that nothing was removed',
  async (t) => {
    const { stdout: id } = await place.run('volume', 'create', '1');
    const absent = randomUUID();
    const args = ['audit', '--remove', id.toUpperCase(), '--remove', absent, '--node', 'n1'];
    const { exitCode, stderr } = await place.run(...args, '--quiet');
    t.is(exitCode, 1, stderr);
    for (const each of [id, absent]) {
      t.true(stderr.includes(`not removed: no storage without a record was found for ${each}`), stderr);
    }
    t.like(JSON.parse((await place.run(...args, '--json')).stdout), { notRemoved: [id, absent] });
    t.is((await place.run('volume', 'delete', id)).exitCode, 0);
  },
);

test.serial('audit --remove removes storage without a record, by its full id only', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  await loseRecord(store, id);
  t.like(await place.run('audit', '--remove', id.slice(0, 8)), { exitCode: 2 });
  t.is((await place.run('audit', '--remove', randomUUID())).exitCode, 1, 'the remaining difference is listed');
  const removed = await place.run('audit', '--remove', id);
  t.is(removed.exitCode, 0);
  t.regex(removed.stdout, /fixed: remove the storage, as requested$/m);
  t.is((await place.run('audit')).stderr, 'no differences');
});

test.serial('audit reports a node that is down as not audited', async (t) => {
  await fakeNode(store, 'n2', { leaseMs: 1 });
  await until(async () => (await lookupNode(store, 'n2')).state === 'down', 'n2 is down');
  t.is((await place.run('audit')).stderr, 'node n2 is down: not audited\nnot examined: node n2');
  const { exitCode, stdout } = await place.run('audit', '--json');
  t.is(exitCode, 7);
  t.like(JSON.parse(stdout), { notAudited: ['n2'], findings: [] });
  for (const command of ['audit', 'rebuild']) {
    const quiet = await place.run(command, '--quiet');
    t.is(quiet.exitCode, 7, command);
    t.is(quiet.stderr, 'not examined: node n2', command);
  }
  t.like(await place.run('audit', '--node', 'n2'), { exitCode: 7, stdout: '' });
  t.like(await place.run('rebuild', '--node', 'nosuch'), { exitCode: 4 });
});
