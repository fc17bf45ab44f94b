import test from 'ava';
import { sampleNumber } from '../support/sample.ts';
import { check } from './check.ts';
import { type Answer, type Entry, unexplained as unexplainedBy } from './explain.ts';
import { type TypeCommand, typeRules } from './type-model.ts';
import { type VolumeCommand, volumeRules } from './volume-model.ts';

test('whatever clients do at once on nodes that crash, some order of it explains every answer', async (t) => {
  t.timeout(600_000);
  const options = { runs: 25, seed: sampleNumber('model', 2 ** 31 - 1) };
  t.log(`npm run model -- --runs ${options.runs} --seed ${options.seed}`);
  const { runs } = await check(options);
  t.is(runs, options.runs);
});

const unexplained = (history: readonly Entry<VolumeCommand>[], last: string) =>
  unexplainedBy(volumeRules, history, last);
const entry = (fields: Partial<Entry<VolumeCommand>>): Entry<VolumeCommand> => ({
  client: 'a',
  command: { name: 'show' },
  answer: { kind: 'ok' },
  called: 1,
  answered: 2,
  ...fields,
});
const created = entry({ command: { name: 'create', isPinned: false, isTyped: false } });

test('an order is found where there is one, and none where there is none', (t) => {
  const absent = { kind: 'state', state: 'absent' } as const;
  t.is(unexplained([created, entry({ answer: absent, called: 0, answered: 3 })], 'available'), undefined);
  t.regex(unexplained([created, entry({ answer: absent, called: 3, answered: 4 })], 'available') ?? '', /show/);
  t.regex(unexplained([created], 'absent') ?? '', /ended absent, not available/);
  const attach = (client: string) =>
    entry({ client, command: { name: 'attach', instance: client }, called: 3, answered: 4 });
  t.is(unexplained([created, attach('b')], 'attached b'), undefined);
  t.regex(unexplained([created, attach('b'), attach('c')], 'attached b') ?? '', /attach, instance c/);
  const detached = entry({ client: 'c', command: { name: 'detach' }, called: 3, answered: 4 });
  const changed = { ...attach('b'), answer: { kind: 'error', code: 'ChangeLost' } } as const;
  t.is(unexplained([created, changed, detached], 'available'), undefined);
  t.regex(unexplained([created, changed], 'attached b') ?? '', /attach, instance b/);
  const lost = entry({ command: { name: 'delete' }, answer: { kind: 'unknown' }, called: 3, answered: Infinity });
  t.is(unexplained([created, lost], 'absent'), undefined);
  t.is(unexplained([created, lost], 'available'), undefined);
});

test('a group snapshot explains what keeps a volume, and only that of a group that it is in', (t) => {
  const ok = (name: 'join' | 'delete' | 'extend', called: number) =>
    entry({ command: { name }, called, answered: called + 1 });
  const refused = (code: string, called: number) =>
    entry({ command: { name: 'delete' }, answer: { kind: 'error', code }, called, answered: called + 1 });
  const take = (called: number) => entry({ command: { name: 'take', snapshot: 'g' }, called, answered: called + 1 });
  t.is(unexplained([created, ok('join', 3), take(5)], 'available (member, has g)'), undefined);
  t.regex(unexplained([created, ok('join', 3), take(5)], 'available (member)') ?? '', /ended/);
  t.is(unexplained([created, take(3)], 'available'), undefined, 'of others of the group');
  t.regex(unexplained([created, take(3)], 'available (has g)') ?? '', /ended/);
  t.is(unexplained([created, ok('join', 3), refused('VolumeInGroup', 5)], 'available (member)'), undefined);
  t.regex(unexplained([created, refused('VolumeInGroup', 3)], 'available') ?? '', /delete/);
  t.regex(unexplained([created, ok('join', 3), ok('delete', 5)], 'absent') ?? '', /delete/);
  t.regex(unexplained([created, refused('VolumeHasSnapshots', 3)], 'available') ?? '', /delete/);
});

test('a type explains what is refused for it', (t) => {
  const of = (name: TypeCommand['name'], code: string, called: number): Entry<TypeCommand> => {
    const answer: Answer = code === 'ok' ? { kind: 'ok' } : { kind: 'error', code };
    return { client: 'a', command: { name }, answer, called, answered: called + 1 };
  };
  const unexplainedType = (history: readonly Entry<TypeCommand>[], last: string) =>
    unexplainedBy(typeRules, history, last);
  t.is(unexplainedType([of('use', 'TypeNotFound', 1), of('make type', 'ok', 3)], 'there'), undefined);
  t.regex(unexplainedType([of('make type', 'ok', 1), of('use', 'TypeNotFound', 3)], 'there') ?? '', /use/);
  t.regex(unexplainedType([of('make type', 'ok', 1)], 'absent') ?? '', /ended/);
  t.regex(unexplainedType([of('remove type', 'ok', 1)], 'absent') ?? '', /remove type/);
});
