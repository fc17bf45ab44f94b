import { randomUUID } from 'node:crypto';
import test from 'ava';
import { Node } from '../../lib/models/node.ts';
import type { Store } from '../../lib/redis/store.ts';
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

/** As if Redis had lost the record alone. */
const loseRecord = (id: string) => store.run('change', id, '{"remove":true}');

test.serial('audit finds nothing, then what is wrong, and mends it when it is told to', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  const clean = await place.run('audit');
  t.like(clean, { exitCode: 0, stdout: '', stderr: 'everything agrees' });

  await loseRecord(id);
  await store.redis.zadd(store.keys.volumes(), 1, 'gone');
  const found = await place.run('audit');
  t.is(found.exitCode, 1);
  t.regex(found.stdout, /^WHERE +WHAT +MEND$/m);
  t.regex(found.stdout, /^Redis +entry gone is in the index volumes without a record that says so +remove it$/m);
  t.regex(found.stdout, new RegExp(`^n1 +volume ${id} has storage but no record +make its record again$`, 'm'));
  t.is(found.stderr, '"blockstore audit --repair" mends 2 of 2 differences');

  const mended = await place.run('audit', '--repair');
  t.is(mended.exitCode, 0);
  t.regex(mended.stdout, /done: make its record again$/m);
  t.like(await place.json('volume', 'show', id), { size: 1, status: 'available', node: 'n1' });
  t.deepEqual(await place.json('audit'), { findings: [], notAsked: [] });
});

test.serial('rebuild makes lost records again', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '2', '--project', 'web');
  await loseRecord(id);
  t.is((await place.run('rebuild')).stdout, '1 record made again');
  t.like(await place.json('volume', 'show', id), { size: 2, projectId: 'web', status: 'available' });
  t.deepEqual(await place.json('rebuild'), { made: [], failed: [], notAsked: [] });
});

test.serial('storage without a record is removed when it is named, by its whole id', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1');
  await loseRecord(id);
  t.like(await place.run('audit', '--remove', id.slice(0, 8)), { exitCode: 2 });
  t.is((await place.run('audit', '--remove', randomUUID())).exitCode, 1, 'what is left is still told');
  const removed = await place.run('audit', '--remove', id);
  t.is(removed.exitCode, 0);
  t.regex(removed.stdout, /done: remove the storage, as asked$/m);
  t.is((await place.run('audit')).stderr, 'everything agrees');
});

test.serial('a node that is down is said not to have been asked', async (t) => {
  await Node.enter(store, { name: 'n2', holder: 'test', leaseMs: 1, topic: 'volume' });
  await until(async () => (await Node.lookup(store, 'n2')).state.state === 'down', 'n2 is down');
  t.is((await place.run('audit')).stderr, 'node n2 is down: it was not asked\neverything agrees');
  t.like(await place.json('audit'), { notAsked: ['n2'] });
  t.like(await place.run('audit', '--node', 'n2'), { exitCode: 7, stdout: '' });
  t.like(await place.run('rebuild', '--node', 'nosuch'), { exitCode: 4 });
});
