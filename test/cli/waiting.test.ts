import test from 'ava';
import { until } from '../support/until.ts';
import { Node } from '../../lib/models/node.ts';
import { Volume } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

/** A node of this test that never does what it is told, unless the test says so: every wait waits. */
async function idleNode(prefix: string) {
  const store = await place.store(prefix);
  const node = await Node.enter(store, { name: 'idle', holder: 'test', leaseMs: 60_000, topic: 'volume' });
  await node.save();
  const volume = async (name: string) => {
    const created = Volume.create(store, { name, size: 1, userId: 'u', projectId: 'p' });
    await created.dispatch({ topic: 'volume', node: 'idle' });
    return created;
  };
  return { store, volume, flag: `--set=redis_prefix=${prefix}` };
}

/** `volume wait`, which has looked once and goes on waiting. */
async function waiter(store: Store, ...args: string[]) {
  const lookers = async () =>
    String(await store.redis.client('LIST'))
      .split('\n')
      .flatMap((line) => (line.includes(' cmd=hgetall ') ? [line.split(' ')[0]] : []));
  const before = await lookers();
  const child = place.begin('volume', 'wait', ...args);
  await until(async () => (await lookers()).some((looker) => !before.includes(looker)), 'it has looked');
  return { child };
}

test.serial('a call that its time limit overtakes says that it goes on', async (t) => {
  const { flag } = await idleNode('late');
  const { exitCode, stderr } = await place.run('volume', 'create', '1', '--timeout', '0.5', '--node', 'idle', flag);
  t.is(exitCode, 7);
  t.regex(
    stderr,
    /^blockstore: create of volume .* did not finish within .*node idle is at it\n  it continues in the background; to wait: blockstore volume wait [0-9a-f-]{36}$/,
  );
});

test.serial('Ctrl-C ends the waiting, not what was asked for, and says how to wait for it', async (t) => {
  const { store, flag } = await idleNode('interrupted');
  const child = place.begin('volume', 'create', '1', flag);
  const [id = ''] = await until(async () => {
    const ids = await store.redis.zrange(store.keys.volumes(), '0', '-1');
    return ids.length > 0 && ids;
  }, 'the volume is asked for');
  child.kill('SIGINT');
  const { exitCode, stderr } = await child;
  t.is(exitCode, 130);
  t.regex(
    stderr,
    new RegExp(
      `stopped waiting for the creation of volume ${id}\n  it continues in the background; to wait: blockstore volume wait ${id}`,
    ),
  );
  t.is((await Volume.lookup(store, id)).state.status, 'creating');
});

test.serial('wait ends when the volume does, well or not', async (t) => {
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
  t.regex(shown.stdout, /^way out +make room$/m);
});

test.serial('wait for an attach status, with a limit, and for a deletion', async (t) => {
  const { store, volume, flag } = await idleNode('limited');
  const one = await volume('one');
  await one.change('finishCreate');
  const late = await place.run('volume', 'wait', 'one', '--status', 'attached', '--timeout', '0.3', flag);
  t.is(late.exitCode, 7);
  t.regex(late.stderr, /did not become attached within 0.3 s; it is available/);
  await one.startAttach({ instanceId: 'i', mountpoint: '/dev/vdb' });
  const attached = await waiter(store, 'one', '--status', 'attached', flag);
  await one.finishAttach();
  t.is((await attached.child).exitCode, 0);
  await one.startDetach();
  await one.finishDetach();
  await one.startDelete();
  const deleted = await waiter(store, 'one', flag);
  await one.destroy();
  t.like(await deleted.child, { exitCode: 0, stdout: 'deleted' });
  t.is((await place.run('volume', 'wait', 'one', '--deleted', flag)).exitCode, 0);
  t.is((await place.run('volume', 'wait', 'one', flag)).exitCode, 4);
});

test.serial('a terminal shows how far a deletion is', async (t) => {
  const { volume, flag } = await idleNode('watched');
  const wiped = await volume('wiped');
  await wiped.change('finishCreate');
  const child = place.terminal(`blockstore volume delete wiped ${flag}`);
  await until(async () => {
    await wiped.change('progress', { set: { progress: '42' } });
    return true;
  }, 'the deletion is asked for');
  await until(() => seen(child.stdout)().includes('deleting, 42 %'), 'the progress is shown');
  await wiped.destroy();
  const { exitCode, stdout } = await child;
  t.is(exitCode, 0);
  t.true(stdout.trim().endsWith(wiped.identifier), stdout);
});

const texts = new WeakMap<object, { text: string }>();

/** All that came by a stream so far. */
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
