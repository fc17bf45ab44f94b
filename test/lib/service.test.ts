import test from 'ava';
import { asError } from '../../lib/errors.ts';
import { type Service, ServiceTree } from '../../lib/service.ts';

function recording(name: string, events: string[], faults: { start?: boolean; stop?: boolean } = {}): Service {
  return {
    name,
    async start() {
      await Promise.resolve();
      if (faults.start) throw new Error(`${name} does not start`);
      events.push(`+${name}`);
    },
    async stop() {
      await Promise.resolve();
      events.push(`-${name}`);
      if (faults.stop) throw new Error(`${name} does not stop`);
    },
  };
}

async function tree(...children: Service[]): Promise<ServiceTree> {
  const parent = new ServiceTree('parent');
  for (const child of children) await parent.add(child);
  return parent;
}

test('children start in order, each awaited, and stop in reverse order', async (t) => {
  const events: string[] = [];
  const parent = await tree(recording('a', events), recording('b', events), recording('c', events));
  await parent.start();
  await parent.stop();
  t.deepEqual(events, ['+a', '+b', '+c', '-c', '-b', '-a']);
});

test('a failed start stops the started children and throws its error', async (t) => {
  const events: string[] = [];
  const parent = await tree(recording('a', events), recording('b', events, { start: true }), recording('c', events));
  await t.throwsAsync(parent.start(), { message: 'b does not start' });
  t.deepEqual(events, ['+a', '-a']);
});

test('a failed start throws its own error, also when stopping the others fails', async (t) => {
  const parent = await tree(recording('a', [], { stop: true }), recording('b', [], { start: true }));
  const grandparent = await tree(recording('c', [], { stop: true }), parent);
  const error = await t.throwsAsync(grandparent.start(), { instanceOf: AggregateError });
  t.is(asError(error).message, 'internal error: b does not start');
});

test('a stop stops all children and collects their failures', async (t) => {
  const events: string[] = [];
  const parent = await tree(
    recording('a', events, { stop: true }),
    recording('b', events),
    recording('c', events, { stop: true }),
  );
  await parent.start();
  const error = await t.throwsAsync(parent.stop(), { instanceOf: AggregateError });
  t.deepEqual(error?.errors.map(String), ['Error: c does not stop', 'Error: a does not stop']);
  t.deepEqual(events.slice(3), ['-c', '-b', '-a']);
});

test('a child added to a running tree starts, a removed child stops; names are unique', async (t) => {
  const events: string[] = [];
  const parent = await tree(recording('a', events));
  await parent.start();
  const late = recording('late', events);
  await parent.add(late);
  await t.throwsAsync(parent.add(recording('late', events)), { message: /already has a child named late/ });
  await parent.remove(late);
  t.is(parent.find('late'), undefined);
  await parent.stop();
  t.deepEqual(events, ['+a', '+late', '-late', '-a']);
});

test('a child whose start fails is not added', async (t) => {
  const parent = await tree();
  await parent.start();
  await t.throwsAsync(parent.add(recording('bad', [], { start: true })));
  t.is(parent.find('bad'), undefined);
  await parent.stop();
});
