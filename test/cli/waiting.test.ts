import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { until } from '../support/until.ts';
import type { TransitionName } from '../../lib/models/transitions.ts';
import type { EditOptions } from '../../lib/models/volume-edit.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { fakeNode, insertVolume, transit } from '../support/records.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

/** A node that carries out no command, so that every command waits until the test changes the record. */
async function idleNode(prefix: string) {
  const store = await place.store(prefix);
  await fakeNode(store, 'idle', { backends: [{}] });
  const volume = async (name: string) => {
    const { id } = await insertVolume(store, { name, node: 'idle' });
    return { id, change: (transition: TransitionName, more?: EditOptions) => transit(store, id, transition, more) };
  };
  return { store, volume, flag: `--set=redis_prefix=${prefix}` };
}

/** Starts `volume wait` and returns once it has read the record for the first time. */
function waiter(store: Store, ...args: string[]) {
  return begunReader(store, () => place.begin('volume', 'wait', ...args));
}

async function begunReader(store: Store, begin: () => ReturnType<CliPlace['begin']>) {
  const readers = async () =>
    String(await store.redis.client('LIST'))
      .split('\n')
      .flatMap((line) => (line.includes(' cmd=hgetall ') ? [line.split(' ')[0]] : []));
  const before = await readers();
  const child = begin();
  await until(async () => (await readers()).some((reader) => !before.includes(reader)), 'wait has read the record');
  return { child };
}

test.serial('a command that reaches its time limit says that the operation continues', async (t) => {
  const { flag } = await idleNode('late');
  const { exitCode, stderr } = await place.run('volume', 'create', '1', '--timeout', '0.5', '--node', 'idle', flag);
  t.is(exitCode, 7);
  t.regex(
    stderr,
    /^blockstore: create of volume .* did not finish within .*node idle is working on it\n  it continues in the background; to wait: blockstore volume wait [0-9a-f-]{36}$/,
  );
});

test.serial('Ctrl-C ends the wait, not the operation, and prints how to wait again', async (t) => {
  const { store, flag } = await idleNode('interrupted');
  const child = place.begin('volume', 'create', '1', flag);
  const [id = ''] = await until(async () => {
    const ids = await store.redis.zrange(store.keys.volumes(), '0', '-1');
    return ids.length > 0 && ids;
  }, 'the volume is requested');
  child.kill('SIGINT');
  const { exitCode, stderr } = await child;
  t.is(exitCode, 130);
  t.regex(
    stderr,
    new RegExp(
      `stopped waiting for the creation of volume ${id}\n  it continues in the background; to wait: blockstore volume wait ${id}`,
    ),
  );
  t.is((await volumesOf(store).lookup(id)).status, 'creating');
});

test.serial('wait ends when the operation succeeds or fails', async (t) => {
  const { store, volume, flag } = await idleNode('ending');
  const good = await volume('good');
  const waiting = await waiter(store, 'good', flag);
  await good.change('finishCreate');
  t.like(await waiting.child, { exitCode: 0, stdout: 'available' });

  const bad = await volume('bad');
  const failing = await waiter(store, 'bad', '--status', 'available', flag);
  await bad.change('failCreate', {
    fault: { code: 'NoSpace', kind: 'exhausted', message: 'pool is full', hint: 'make room' },
  });
  const { exitCode, stderr } = await failing.child;
  t.is(exitCode, 6);
  t.is(stderr, 'blockstore: pool is full\n  make room');
  const shown = await place.run('volume', 'show', 'bad', flag);
  t.regex(shown.stdout, /^status +error$/m);
  t.regex(shown.stdout, /^fault +pool is full$/m);
  t.regex(shown.stdout, /^hint +make room$/m);
});

test.serial('wait accepts an attach status, a time limit and --deleted', async (t) => {
  const { store, volume, flag } = await idleNode('limited');
  const one = await volume('one');
  await one.change('finishCreate');
  const late = await place.run('volume', 'wait', 'one', '--status', 'attached', '--timeout', '0.3', flag);
  t.is(late.exitCode, 7);
  t.regex(late.stderr, /did not become attached within 300 ms; it is available/);
  await one.change('startAttach');
  const attached = await waiter(store, 'one', '--status', 'attached', flag);
  await one.change('finishAttach');
  t.is((await attached.child).exitCode, 0);
  await one.change('startDetach');
  await one.change('finishDetach');
  await one.change('startDelete');
  const deleted = await waiter(store, 'one', flag);
  await one.change('finishDelete');
  t.like(await deleted.child, { exitCode: 0, stdout: 'deleted' });
  t.is((await place.run('volume', 'wait', 'one', '--deleted', flag)).exitCode, 0);
  t.is((await place.run('volume', 'wait', 'one', flag)).exitCode, 4);
});

test.serial('a wait goes on through a restart of Redis', async (t) => {
  const { store, volume, flag } = await idleNode('restarted');
  const one = await volume('one');
  const waiting = await waiter(store, 'one', flag);
  seen(waiting.child.stderr); // from now on
  await place.server.down();
  await until(() => seen(waiting.child.stderr)().includes('is unreachable'), 'it notices the loss');
  await pause(2000); // it reads the record twice a second
  await place.server.up();
  await until(() => one.change('finishCreate').catch(() => false), 'the volume is created');
  const end = await waiting.child;
  t.like(end, { exitCode: 0, stdout: 'available' }, end.stderr);
});

test.serial('a create that may have been recorded names the option that repeats it', async (t) => {
  const { store, flag } = await idleNode('unsure');
  const created = await place.run('volume', 'create', '1', '--node', 'idle', flag, '--set=redis_min_replicas=1');
  t.is(created.exitCode, 7);
  const [id = ''] = await store.redis.zrange(store.keys.volumes(), '0', '-1');
  t.true(created.stderr.includes(`the volume may exist; to repeat the command: --id ${id}`), created.stderr);
  const flags = [flag, '--set=redis_min_replicas=1'];
  await transit(store, id, 'finishCreate');
  const deleted = await place.run('volume', 'delete', id, ...flags);
  t.regex(deleted.stderr, new RegExp(`^blockstore: volume ${id}: the change was made, but only 0 of 1 replicas`));
});

test.serial('a wait that was started by nohup(1) continues when the terminal ends', async (t) => {
  const { store, volume, flag } = await idleNode('nohup');
  const one = await volume('one');
  const waiting = await begunReader(store, () => place.spawn('nohup', ['blockstore', 'volume', 'wait', 'one', flag]));
  waiting.child.kill('SIGHUP');
  await one.change('finishCreate');
  t.like(await waiting.child, { exitCode: 0, stdout: 'available' });
});

test.serial('a terminal shows the progress of a deletion', async (t) => {
  const { store, volume, flag } = await idleNode('watched');
  const wiped = await volume('wiped');
  await wiped.change('finishCreate');
  const child = place.terminal(`blockstore volume delete wiped ${flag}`);
  const isDeleting = async () => (await volumesOf(store).lookup(wiped.id)).status === 'deleting';
  await until(isDeleting, 'the deletion is requested');
  await wiped.change('progress', { set: { progress: '42' } });
  await until(() => seen(child.stdout)().includes('deleting, 42 %'), 'the progress is shown');
  await wiped.change('finishDelete');
  const { exitCode, stdout } = await child;
  t.is(exitCode, 0);
  t.true(stdout.trim().endsWith(wiped.id), stdout);
});

const texts = new WeakMap<object, { text: string }>();

/** Returns a function that returns all output of a stream so far. */
function seen(stream: NodeJS.ReadableStream): () => string {
  let entry = texts.get(stream);
  if (!entry) {
    const fresh = { text: '' };
    stream.on('data', (chunk: Buffer) => {
      fresh.text += chunk.toString();
    });
    texts.set(stream, fresh);
    entry = fresh;
  }
  const { text } = entry;
  return () => text;
}
