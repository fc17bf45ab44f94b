import test from 'ava';
import { parts } from '../../tools/parts.ts';
import { report, runStage } from '../../tools/stages.ts';
import { backends, scenesOn } from '../crash/backends.ts';
import { parseChoice } from '../crash/choice.ts';
import type { Point } from '../crash/plan.ts';

test('every operation on every backend is a part of test:all, under a name of its own', (t) => {
  const names = parts().map(({ name }) => name);
  t.is(new Set(names).size, names.length);
  for (const [backend, place] of Object.entries(backends)) {
    for (const scene of Object.keys(scenesOn(place))) {
      t.true(names.some((name) => name.replace(/-\d+$/, '') === `crash-${backend}-${scene}`));
    }
  }
});

test('the parts of an operation contain each of its points once', (t) => {
  const points: Point[] = Array.from({ length: 11 }, (_, index) => ({
    number: index + 1,
    moment: 'before',
    name: 'effect',
    turn: 1,
  }));
  const chosen = [1, 2, 3, 4].flatMap((part) => parseChoice(`${part}/4`, undefined)?.choose(points) ?? []);
  t.deepEqual(
    chosen.map(({ number }) => number).toSorted((one, other) => one - other),
    points.map(({ number }) => number),
  );
  t.deepEqual(parseChoice('7', 'before')?.choose(points), points.slice(6, 7));
  t.deepEqual(parseChoice('7', 'after')?.choose(points), []);
  t.deepEqual(parseChoice('10-', undefined)?.choose(points), points.slice(9));
  // Before an effect all is as after the one before: each second point leaves no state of its own.
  const effects = points.map(({ number, name, turn }): Point => {
    return { number, moment: number % 2 === 1 ? 'before' : 'after', name, turn };
  });
  const states = ['1/2', '2/2'].map((part) => parseChoice('states', part)?.choose(effects) ?? []);
  t.deepEqual(
    states.map((part) => part.map(({ number }) => number)),
    [
      [1, 4, 8],
      [2, 6, 10],
    ],
  );
  t.deepEqual(parseChoice('states', undefined)?.choose(effects).length, 6);
  t.is(parseChoice('states', 'before'), undefined);
  for (const words of ['', 'some', '0/4', '7-x']) t.is(parseChoice(words, undefined), undefined, words);
});

test('the report repeats failures, then lists the slowest files, times and, as the last line, the counts', async (t) => {
  const lines: string[] = [];
  const log = console.log;
  console.log = (line: string) => void lines.push(line);
  try {
    const files = Array.from({ length: 12 }, (_, index) => ({ file: `test/${index}.test.ts`, seconds: index }));
    const outcome = { passed: 3, failed: 1, skipped: 2, failures: 'it broke', files };
    const ended = await runStage({ name: 'one', run: async () => outcome });
    report([ended, { ...ended, name: 'two', failures: '' }]);
  } finally {
    console.log = log;
  }
  const text = lines.join('\n');
  t.regex(text, /== failed in one\nit broke/);
  t.is(text.match(/test\/11\.test\.ts/g)?.length, 2);
  t.false(text.includes('test/5.test.ts'));
  t.is(text.split('\n').at(-1), '6 passed, 2 failed, 4 skipped');
});
