import test from 'ava';
import { isPrintable } from '../../lib/printable.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

/** Which volume a command line means, and what is done where that is in doubt. */

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

async function create(name: string, id?: string): Promise<string> {
  const { stdout } = await place.run(
    'volume',
    'create',
    '0',
    '--name',
    name,
    ...(id === undefined ? [] : ['--id', id]),
  );
  return stdout.trim();
}

async function names(): Promise<string[]> {
  const { volumes } = Object(await place.json('volume', 'list'));
  return volumes.map(({ name }: { name: string }) => name).toSorted();
}

test.serial('a delete that is repeated by name does not reach a volume whose id begins with that name', async (t) => {
  const named = await create('db1f0000');
  await create('other', 'db1f0000-0000-4000-8000-000000000001');
  t.is((await place.run('volume', 'delete', named)).exitCode, 0);
  const repeated = await place.run('volume', 'delete', 'db1f0000');
  t.is(repeated.exitCode, 4);
  t.regex(repeated.stderr, /no volume is named db1f0000; it is the beginning of db1f0000-0000-4000-8000-000000000001/);
  t.deepEqual(await names(), ['other']);
  t.is((await place.run('volume', 'show', 'db1f0000')).exitCode, 0, 'to look at one, a beginning will do');
  const waiting = await place.run('volume', 'wait', 'db1f0000', '--deleted', '--timeout', '60');
  t.like(waiting, { exitCode: 4, stdout: '' });
  t.regex(waiting.stderr, /^blockstore: no volume is named db1f0000; /);
  await place.run('volume', 'delete', 'other');
});

test.serial(
  'references are resolved before the first deletion, each volume once, and the unknown ones are named',
  async (t) => {
    const id = await create('a');
    await create('keep');
    const { exitCode, stdout, stderr } = await place.run('volume', 'delete', 'a', id, 'a', 'nosuch', id.slice(0, 8));
    t.is(exitCode, 4);
    t.is(stdout, id);
    t.regex(stderr, /volume nosuch does not exist\n/);
    t.deepEqual(await names(), ['keep']);
    await place.run('volume', 'delete', 'keep');
  },
);

test.serial('waiting for the deletion of a volume that is gone says so', async (t) => {
  t.like(await place.run('volume', 'wait', 'nosuch', '--deleted'), { exitCode: 0, stdout: 'deleted' });
  t.deepEqual(await place.json('volume', 'wait', 'nosuch', '--deleted'), { id: null, status: 'deleted' });
  for (const command of ['wait', 'delete', 'show']) {
    const args = command === 'wait' ? ['--deleted'] : [];
    const { exitCode, stdout, stderr } = await place.run('volume', command, '', ...args);
    t.like({ exitCode, stdout }, { exitCode: 2, stdout: '' }, command);
    t.regex(stderr, /^blockstore: volume "" is not an id or a name/);
  }
});

test.serial('a delete whose reader ends deletes every volume all the same', async (t) => {
  const made = await Promise.all(Array.from({ length: 20 }, (_, index) => create(`many-${index}`)));
  t.is(made.length, 20);
  const { exitCode } = await place.shell(`set -o pipefail; blockstore volume delete ${made.join(' ')} | head -n 1`);
  t.is(exitCode, 0);
  t.deepEqual(await names(), []);
  const last = await create('last');
  const full = await place.shell(`blockstore volume delete ${last} >/dev/full`);
  t.is(full.exitCode, 1);
  t.regex(full.stderr, /^blockstore: the output could not be written: ENOSPC$/);
  t.deepEqual(await names(), []);
});

test.serial('an argument that is not UTF-8 is refused', async (t) => {
  const { exitCode, stderr } = await place.shell(String.raw`blockstore volume create 0 --name $'a\xff'`);
  t.is(exitCode, 2);
  t.regex(stderr, /is not valid UTF-8/);
  t.deepEqual(await names(), []);
});

test.serial('a name of wide characters keeps the columns, and a terminal cuts a long one', async (t) => {
  await create('表'.repeat(20));
  await create('x'.repeat(60));
  const plain = await place.run('volume', 'list');
  t.regex(plain.stdout, /表{20} {20}  100 MiB/);
  t.regex(plain.stdout, /x{60}  100 MiB/);
  const { stdout } = await place.terminal('blockstore --no-color volume list');
  t.regex(stdout, /表{15}… {1,2} 100 MiB/);
  t.regex(stdout, /x{31}…  100 MiB/);
  for (const name of await names()) await place.run('volume', 'delete', name);
});

test.serial('a name that could be part of a key is not the name of a node', async (t) => {
  for (const args of [
    ['volume', 'list', '--node'],
    ['node', 'show'],
    ['node', 'lost'],
    ['node', 'remove'],
    ['audit', '--node'],
    ['volume', 'create', '0', '--node'],
  ]) {
    for (const name of ['n1:volumes', 'n1:lease', 'x:free']) {
      const { exitCode, stderr } = await place.run(...args, name);
      t.is(exitCode, 4, `${args.join(' ')} ${name}`);
      t.regex(stderr, /^blockstore: node \S+ does not exist\n/);
    }
  }
});

test.serial('the name of an instance is text, whatever it looks like', async (t) => {
  const id = await create('instances');
  for (const instance of ['@now', '-1', 'null', '0']) {
    await place.run('volume', 'attach', id, `--instance=${instance}`, '--mountpoint', '/dev/vdb');
    t.like(await place.json('volume', 'show', id), { attachments: [{ instanceId: instance }] });
    await place.run('volume', 'detach', id);
  }
  await place.run('volume', 'delete', id);
});

test.serial('what others wrote into a record is shown escaped, on standard error too', async (t) => {
  const id = await create('plain');
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), { userId: 'a\u001B[2J\u202Eb' });
  const { stdout } = await place.run('volume', 'show', id);
  t.regex(stdout, /user +a\\u\{1b\}\[2J\\u\{202e\}b\n/);
  const { stderr } = await place.run('volume', 'show', 'no\u001B[2Jsuch');
  t.regex(stderr, /^blockstore: volume "no\\u001b\[2Jsuch" is not 1 to 255 printable characters$/);
  const json = await place.run('volume', 'show', id, '--json');
  t.like(JSON.parse(json.stdout), { userId: 'a\u001B[2J\u202Eb' });
  for (const { stdout: text } of [json, await place.run('volume', 'list', '--json')]) {
    t.true(text.split('\n').every(isPrintable), text);
  }
  const write = () => void store.redis.hset(store.keys.node('n1'), 'problems', 'disk \u009B2J');
  const writing = setInterval(write, 20); // each report of the node writes its own again
  t.teardown(() => clearInterval(writing));
  await until(
    async () => (await place.run('status')).stdout.includes(String.raw`disk \u{9b}2J`),
    'the problem is shown escaped',
  );
  await place.run('volume', 'delete', id);
});

test.serial('a wait for a deletion ends although the id belongs to a new volume', async (t) => {
  const id = await create('first');
  const store = await place.store();
  const waiting = place.begin('volume', 'wait', id, '--deleted', '--timeout', '120');
  let isOver = false;
  void waiting.finally(() => {
    isOver = true;
  });
  // As if it were deleted and created again between two reads, whenever the command makes them.
  await until(async () => {
    await store.redis.hincrby(store.keys.volume(id), 'createTime', 1);
    return isOver;
  }, 'the wait is over');
  t.like(await waiting, { exitCode: 0, stdout: 'deleted' });
  t.like(await place.run('volume', 'wait', id), { exitCode: 0, stdout: 'available' });
  await place.run('volume', 'delete', id);
});

test.serial('a wait for the deletion of an id with a line end of another system is refused', async (t) => {
  const id = await create('exists');
  t.like(await place.run('volume', 'wait', `${id}\r`, '--deleted'), { exitCode: 2, stdout: '' });
  await place.run('volume', 'delete', id);
});

test.serial('a text with an id in it is not taken for the name of a deleted volume', async (t) => {
  const id = await create('exists');
  const waited = await place.run('volume', 'wait', `volume-${id}`, '--deleted');
  t.like(waited, { exitCode: 2, stdout: '' });
  t.true(waited.stderr.includes(`the id is ${id}`), waited.stderr);
  await place.run('volume', 'delete', id);
});

test.serial('an empty project or node is refused, not listed as one without volumes', async (t) => {
  for (const args of [
    ['volume', 'list', '--project', ''],
    ['volume', 'list', '--node', ''],
    ['node', 'show', ' '],
    ['node', 'lost', ''],
    ['node', 'remove', ''],
    ['audit', '--node', ''],
  ]) {
    const { exitCode, stdout, stderr } = await place.run(...args);
    t.like({ exitCode, stdout }, { exitCode: 2, stdout: '' }, args.join(' '));
    t.regex(stderr, /^blockstore: (project|node) " ?" is not /);
  }
});
