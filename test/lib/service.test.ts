import test from 'ava';
import { asError } from '../../lib/errors.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';

function recording(name: string, told: string[], faults: { start?: boolean; stop?: boolean } = {}): Service {
  return {
    name,
    async start() {
      await Promise.resolve();
      if (faults.start) throw new Error(`${name} does not start`);
      told.push(`+${name}`);
    },
    async stop() {
      await Promise.resolve();
      told.push(`-${name}`);
      if (faults.stop) throw new Error(`${name} does not stop`);
    },
  };
}

async function tree(...children: Service[]): Promise<ServiceTree> {
  const parent = new ServiceTree('parent');
  for (const child of children) await parent.add(child);
  return parent;
}

test('children start in order, each awaited, and stop in reverse', async (t) => {
  const told: string[] = [];
  const parent = await tree(recording('a', told), recording('b', told), recording('c', told));
  await parent.start();
  await parent.stop();
  t.deepEqual(told, ['+a', '+b', '+c', '-c', '-b', '-a']);
});

test('a start that fails stops what was started and throws its error', async (t) => {
  const told: string[] = [];
  const parent = await tree(recording('a', told), recording('b', told, { start: true }), recording('c', told));
  await t.throwsAsync(parent.start(), { message: 'b does not start' });
  t.deepEqual(told, ['+a', '-a']);
});

test('a start that fails is told by its own error, although the rest does not stop either', async (t) => {
  const parent = await tree(recording('a', [], { stop: true }), recording('b', [], { start: true }));
  const grandparent = await tree(recording('c', [], { stop: true }), parent);
  const error = await t.throwsAsync(grandparent.start(), { instanceOf: AggregateError });
  t.is(asError(error).message, 'internal error: b does not start');
});

test('every failure of a stop is collected; the others are stopped all the same', async (t) => {
  const told: string[] = [];
  const parent = await tree(
    recording('a', told, { stop: true }),
    recording('b', told),
    recording('c', told, { stop: true }),
  );
  await parent.start();
  const error = await t.throwsAsync(parent.stop(), { instanceOf: AggregateError });
  t.deepEqual(error?.errors.map(String), ['Error: c does not stop', 'Error: a does not stop']);
  t.deepEqual(told.slice(3), ['-c', '-b', '-a']);
});

test('a child added to a running tree starts, one removed stops; names are unique', async (t) => {
  const told: string[] = [];
  const parent = await tree(recording('a', told));
  await parent.start();
  const late = recording('late', told);
  await parent.add(late);
  await t.throwsAsync(parent.add(recording('late', told)), { message: /has a child named late already/ });
  await parent.remove(late);
  t.is(parent.find('late'), undefined);
  await parent.stop();
  t.deepEqual(told, ['+a', '+late', '-late', '-a']);
});

test('a child that does not start is not added', async (t) => {
  const parent = await tree();
  await parent.start();
  await t.throwsAsync(parent.add(recording('bad', [], { start: true })));
  t.is(parent.find('bad'), undefined);
  await parent.stop();
});
