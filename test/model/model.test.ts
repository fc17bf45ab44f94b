import test from 'ava';
import { sampleNumber } from '../support/sample.ts';
import { check } from './check.ts';
import { type Entry, unexplained } from './explain.ts';

test('whatever clients do at once on nodes that crash, some order of it explains every answer', async (t) => {
  t.timeout(600_000);
  const options = { runs: 40, seed: sampleNumber('model', 2 ** 31 - 1) };
  t.log(`npm run model -- --runs ${options.runs} --seed ${options.seed}`);
  const { runs } = await check(options);
  t.is(runs, options.runs);
});

const entry = (fields: Partial<Entry>): Entry => ({
  client: 'a',
  command: { name: 'show' },
  answer: { kind: 'ok' },
  called: 1,
  answered: 2,
  ...fields,
});
const created = entry({ command: { name: 'create', isPinned: false } });

test('an order is found where there is one, and none where there is none', (t) => {
  const absent = { kind: 'state', state: 'absent' } as const;
  t.is(unexplained([created, entry({ answer: absent, called: 0, answered: 3 })], 'available'), undefined);
  t.regex(unexplained([created, entry({ answer: absent, called: 3, answered: 4 })], 'available') ?? '', /show/);
  t.regex(unexplained([created], 'absent') ?? '', /ended absent, not available/);
  const attach = (client: string) =>
    entry({ client, command: { name: 'attach', instance: client }, called: 3, answered: 4 });
  t.is(unexplained([created, attach('b')], 'attached b'), undefined);
  t.regex(unexplained([created, attach('b'), attach('c')], 'attached b') ?? '', /attach to c/);
  const detached = entry({ client: 'c', command: { name: 'detach' }, called: 3, answered: 4 });
  const changed = { ...attach('b'), answer: { kind: 'error', code: 'ChangeLost' } } as const;
  t.is(unexplained([created, changed, detached], 'available'), undefined);
  t.regex(unexplained([created, changed], 'attached b') ?? '', /attach to b/);
  const lost = entry({ command: { name: 'delete' }, answer: { kind: 'unknown' }, called: 3, answered: Infinity });
  t.is(unexplained([created, lost], 'absent'), undefined);
  t.is(unexplained([created, lost], 'available'), undefined);
});
