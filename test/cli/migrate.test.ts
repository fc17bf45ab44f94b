import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import test from 'ava';
import { z } from 'zod';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  for (const name of ['n1', 'n2']) {
    await mkdir(place.file(`pool-${name}`));
    const pool = {
      volume_pool_dir: place.file(`pool-${name}`),
      volume_driver: 'file',
      volume_target: 'none',
      migration_rate: '20',
    };
    await place.daemon(name, pool);
  }
});
test.after.always(() => place.close());

const listed = z.object({ volumes: z.array(z.object({ name: z.string(), node: z.string(), status: z.string() })) });

async function nodesOf(): Promise<Record<string, string>> {
  const { volumes } = listed.parse(await place.json('volume', 'list'));
  return Object.fromEntries(volumes.map(({ name, node }) => [name, node]));
}

async function create(name: string): Promise<string> {
  const { stdout } = await place.run('volume', 'create', '0', '--name', name, '--node', 'n1');
  return stdout;
}

test.serial('node drain of a node without volumes says that there is nothing to move', async (t) => {
  const { stdout, stderr, exitCode } = await place.run('node', 'drain', 'n2');
  const note = 'node n2 has no volumes to move, and takes none now';
  t.like({ stdout, stderr, exitCode }, { stdout: '', stderr: note, exitCode: 0 });
  await place.run('node', 'drain', 'n1');
  const refused = await place.run('volume', 'create', '0');
  t.regex(refused.stderr, /to have a node take volumes again: blockstore node open n[12]/);
  for (const name of ['n1', 'n2']) t.is((await place.run('node', 'open', name)).exitCode, 0);
});

test.serial('volume migrate prints the new place, and its data are there', async (t) => {
  const id = await create('data');
  const content = Buffer.concat([randomBytes(5000), Buffer.alloc(100 * 2 ** 20 - 5000)]);
  await writeFile(place.file(`pool-n1/volume-${id}`), content);
  const { stdout, exitCode, stderr } = await place.run('volume', 'migrate', 'data');
  t.like({ stdout, exitCode, stderr }, { exitCode: 0, stderr: '' });
  t.regex(stdout, new RegExp(`^${id} n2@file#`));
  t.true((await readFile(place.file(`pool-n2/volume-${id}`))).equals(content));
  t.like(await place.json('volume', 'show', 'data'), { node: 'n2', status: 'available', destination: null });

  const again = await place.run('volume', 'migrate', 'data', '--to', 'n2');
  t.is(again.exitCode, 2);
  t.regex(again.stderr, /is on n2@file#\S+ already/);
  t.regex((await place.run('volume', 'migrate', 'data', '--to', 'n9')).stderr, /node n9 does not exist/);
  const events = await place.run('events');
  t.regex(events.stdout, /volume\.migrate\.start/);
  t.regex(events.stdout, /volume\.migrate\.end/);
  t.is((await place.run('volume', 'delete', 'data')).exitCode, 0);
});

test.serial('volume migrate --cancel ends a migration, and the volume stays', async (t) => {
  const id = await create('slow');
  await writeFile(place.file(`pool-n1/volume-${id}`), randomBytes(100 * 2 ** 20));
  t.is((await place.run('volume', 'migrate', 'slow', '--no-wait')).exitCode, 0);
  const { stdout, exitCode, stderr } = await place.run('volume', 'migrate', 'slow', '--cancel');
  t.like({ exitCode, stderr }, { exitCode: 0, stderr: '' });
  t.regex(stdout, new RegExp(`^${id} n1@file#`));
  const none = await place.run('volume', 'migrate', 'slow', '--cancel');
  t.is(none.exitCode, 5);
  t.regex(none.stderr, /is available: it has no migration that could be cancelled/);
  t.is((await place.run('volume', 'migrate', 'slow', '--cancel', '--to', 'n2')).exitCode, 2);
  t.regex((await place.run('events')).stdout, /volume\.migrate\.cancel/);
  t.is((await place.run('volume', 'delete', 'slow')).exitCode, 0);
});

test.serial('node drain moves what it can, names the rest, and closes the node until it is opened', async (t) => {
  for (const name of ['one', 'two', 'attached']) await create(name);
  await place.run('volume', 'attach', 'attached', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const { stdout, stderr, exitCode } = await place.run('node', 'drain', 'n1');
  t.is(exitCode, 5);
  t.is(stdout.split('\n').filter((line) => line.endsWith(' n2@file')).length, 2);
  t.regex(stderr, /is attached to i-1, and its target or that of its type does not let it migrate so/);
  t.regex(stderr, /1 volume of node n1 did not move/);
  t.deepEqual(await nodesOf(), { one: 'n2', two: 'n2', attached: 'n1' });
  t.regex((await place.run('node', 'list')).stdout, /^n1 +up, closed/m);
  t.regex((await place.run('node', 'show', 'n1')).stdout, /^backend +n1@file.*, closed$/m);

  const refused = await place.run('volume', 'create', '0', '--node', 'n1');
  t.is(refused.exitCode, 7);
  t.regex(refused.stderr, /takes no further volumes: its node is being drained/);
  const nowhere = await place.run('node', 'drain', 'n2', '--to', 'n1');
  t.is(nowhere.stderr.match(/^blockstore: volume [0-9a-f-]{36}: .*its node is being drained$/gm)?.length, 2);
  await place.run('node', 'open', 'n2');
  t.is((await place.run('node', 'open', 'n1')).stdout, 'node n1 takes volumes');
  t.is((await place.run('volume', 'create', '0', '--node', 'n1')).exitCode, 0);
});

test.serial('volume retype is refused where the backend does not meet the type, unless it may migrate', async (t) => {
  await create('plain');
  await place.run('type', 'create', 'second', '--require', 'backend=file', '--require', 'shared=no');
  await place.run('type', 'create', 'fast', '--require', 'driver=lvm');
  t.is((await place.run('volume', 'retype', 'plain', 'second')).exitCode, 0);
  const { exitCode, stderr } = await place.run('volume', 'retype', 'plain', 'fast');
  t.is(exitCode, 5);
  t.regex(stderr, /does not meet type fast: its driver is file, not lvm.*\n.*--migrate/);
  const nowhere = await place.run('volume', 'retype', 'plain', 'fast', '--migrate');
  t.is(nowhere.exitCode, 7);
  t.regex(nowhere.stderr, /its driver is file, not lvm/);
});
