import test from 'ava';
import { z } from 'zod';
import { Node } from '../../lib/models/node.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  const store = await place.store();
  const enter = (name: string, leaseMs: number) =>
    Node.enter(store, { name, holder: 'test', leaseMs, topic: 'volume' });
  const report = {
    availabilityZone: 'nova',
    version: '1.0.0',
    driver: 'lvm',
    target: 'aoe',
    totalBytes: 2 ** 40,
    freeBytes: 2 ** 39,
    startTime: Date.now(),
  };
  const good = await enter('good', 600_000);
  good.describe({ ...report, problems: '' }, 1000);
  await good.save();
  const ill = await enter('ill', 600_000);
  ill.describe({ ...report, problems: 'network interface eth1 is down\nvblade is not installed' }, 1000);
  await ill.save();
  await (await enter('stopped', 600_000)).destroy();
  await enter('down', 1);
  await until(async () => (await Node.lookup(store, 'down')).state.state === 'down', 'the node is down');
});
test.after.always(() => place.close());

test.serial('node list prints all nodes with their states', async (t) => {
  const { stdout } = await place.run('node', 'list');
  t.regex(stdout, /^NAME +STATE +ZONE/);
  t.regex(stdout, /^good +up +nova +lvm +aoe +1 TiB +512 GiB +0 +- +\d+ s ago$/m);
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
  t.regex(stdout, /^problem +network interface eth1 is down\nproblem +vblade is not installed$/m);
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
  t.regex(stdout, /^capacity +1 TiB free of 2 TiB /m);
  t.like(await place.json('status'), { nodes: { up: 2, down: 1, stopped: 1 }, volumes: 0, underWay: 0 });
});

test.serial('status counts volumes that no node has taken yet', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1', '--no-wait');
  const { stdout } = await place.run('status');
  t.regex(stdout, /^under way 1, 1 not taken by a node yet$/m);
  await place.run('volume', 'delete', id);
});

test.serial('node lost refuses a node that is up, and declares one that is down lost', async (t) => {
  const up = await place.run('node', 'lost', 'good');
  t.is(up.exitCode, 5);
  t.regex(
    up.stderr,
    /^blockstore: node good is up: only a node whose lease has expired can be declared lost\n {2}stop its daemon/,
  );
  t.is((await place.run('node', 'lost', 'down')).stdout, 'node down is declared lost, with 0 volumes');
  t.deepEqual(await place.json('node', 'lost', 'down'), { node: 'down', volumes: 0 });
  const { stdout } = await place.run('status');
  t.regex(stdout, /^! node down is declared lost, with 0 volumes$/m);
  t.regex(stdout, /^nodes +2 up, 1 stopped, 1 lost$/m);
  t.like(await place.json('node', 'show', 'down'), { state: 'lost' });
});
