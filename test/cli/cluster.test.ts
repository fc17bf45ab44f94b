import test from 'ava';
import { z } from 'zod';
import { lookupNode } from '../../lib/models/node.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import { fakeNode } from '../support/records.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  const store = await place.store();
  const backend = {
    driver: 'lvm',
    target: 'aoe',
    pool: 'disks',
    totalBytes: 2 ** 40,
    freeBytes: 2 ** 39,
    capacityBytes: 2 ** 39,
  };
  const pools = [{ ...backend, name: 'lvm' }];
  await fakeNode(store, 'good', { backends: pools });
  await fakeNode(store, 'ill', {
    problems: 'network interface eth1 is down\nvblade is not installed',
    backends: [
      ...pools,
      { ...backend, name: 'slow', accepting: false, problem: 'a disk is absent', dataPercent: 84, metadataPercent: 7 },
    ],
  });
  await (await fakeNode(store, 'stopped')).release();
  await fakeNode(store, 'down', { leaseMs: 1 });
  await until(async () => (await lookupNode(store, 'down')).state === 'down', 'the node is down');
});
test.after.always(() => place.close());

test.serial('node list prints all nodes with their states', async (t) => {
  const { stdout } = await place.run('node', 'list');
  t.regex(stdout, /^NAME +STATE +ZONE/);
  t.regex(stdout, /^good +up +nova +lvm +1 TiB +512 GiB +0 +- +\d+ s ago$/m);
  t.regex(stdout, /^ill +up +nova +lvm,slow +2 TiB +1 TiB +0 +3 +\d+ s ago$/m);
  t.regex(stdout, /^down +down .* never$/m);
  const { nodes } = z
    .object({ nodes: z.array(z.object({ name: z.string(), state: z.string() })) })
    .parse(await place.json('node', 'list'));
  t.deepEqual(Object.fromEntries(nodes.map(({ name, state }) => [name, state])), {
    good: 'up',
    ill: 'up',
    stopped: 'stopped',
    down: 'down',
  });
});

test.serial('node show prints problems, and fails for an unknown node', async (t) => {
  const { stdout } = await place.run('node', 'show', 'ill');
  t.regex(
    stdout,
    /^problem +network interface eth1 is down\nproblem +vblade is not installed\nproblem +backend slow: a disk is absent$/m,
  );
  t.regex(stdout, /^backend +ill@lvm#disks: lvm \(snapshots, clones, extend, thin\), aoe, 512 GiB free of 1 TiB$/m);
  t.regex(
    stdout,
    /^backend +ill@slow#disks: lvm \(snapshots, clones, extend, thin\), aoe, 512 GiB free of 1 TiB, data 84 % and metadata 7 % full, takes no volumes$/m,
  );
  const missing = await place.run('node', 'show', 'nosuch');
  t.is(missing.exitCode, 4);
  t.is(missing.stderr, 'blockstore: node nosuch does not exist\n  list the nodes: blockstore node list');
});

test.serial('status lists problems first', async (t) => {
  const { stdout } = await place.run('status');
  t.regex(
    stdout,
    /^! node down is down, last seen never, with 0 volumes\n! node ill: network interface eth1 is down\n/,
  );
  t.regex(stdout, /^nodes +2 up, 1 down, 1 stopped$/m);
  t.regex(stdout, /^capacity +1.5 TiB free of 3 TiB /m);
  t.like(await place.json('status'), { nodes: { up: 2, down: 1, stopped: 1 }, volumes: 0, underWay: 0 });
});

test.serial('status counts volumes under way', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1', '--no-wait');
  const { stdout } = await place.run('status');
  t.regex(stdout, /^volumes +1$/m);
  t.regex(stdout, /^under way +1$/m);
  t.like(await place.json('volume', 'show', id), { status: 'creating' });
});

test.serial('an unreadable node record is reported and hides no other node', async (t) => {
  const store = await place.store();
  await store.redis.zadd(store.keys.nodes(), 1, 'odd');
  await store.redis.hset(store.keys.node('odd'), 'reportTime', 'yesterday');
  const { stdout, stderr, exitCode } = await place.run('node', 'list');
  t.is(exitCode, 0);
  t.regex(stdout, /^good +up/m);
  t.regex(stderr, /node odd is unreadable: its record has reportTime "yesterday"/);
  t.regex((await place.run('status')).stdout, /^! the record of node odd has reportTime "yesterday"$/m);
  await store.redis.zrem(store.keys.nodes(), 'odd');
});

test.serial('node lost refuses a node that is up, and declares one that is down lost', async (t) => {
  const up = await place.run('node', 'lost', 'good');
  t.is(up.exitCode, 5);
  t.regex(
    up.stderr,
    /^blockstore: node good is up: only a node whose lease has expired can be declared lost\n {2}stop its daemon/,
  );
  t.is((await place.run('node', 'lost', 'down')).stdout, 'node down is declared lost, with 0 volumes');
  t.deepEqual(await place.json('node', 'lost', 'down'), { node: 'down', volumes: 0, unreadable: [] });
  const { stdout } = await place.run('status');
  t.regex(stdout, /^! node down is declared lost, with 0 volumes$/m);
  t.regex(stdout, /^nodes +2 up, 1 stopped, 1 lost$/m);
  t.like(await place.json('node', 'show', 'down'), { state: 'lost' });
});

test.serial('node remove applies address_quarantine of the node, not of the requester', async (t) => {
  const store = await place.store();
  const { node } = await fakeNode(store, 'resting');
  await store.redis.del(store.keys.lease(node));
  await store.redis.zadd(store.keys.quarantine(node), await redisTime(store), 'e1.0');
  const early = await place.run('--set', 'address_quarantine=0', 'node', 'remove', node);
  t.is(early.exitCode, 5);
  t.regex(
    early.stderr,
    /^blockstore: addresses of node resting are in quarantine for another \d+ s: .*\n {2}repeat the/,
  );
  await store.redis.hset(store.keys.node(node), 'quarantineMs', '0');
  const none = await place.run('node', 'remove', node);
  t.is(none.stdout, 'node resting is removed');
});
