import test from 'ava';
import { countTests, withoutPassed } from '../../tools/ava-report.ts';

test('passed, failed and skipped tests are counted', (t) => {
  const report = `
  ✔ a › good
  ✔ a › slow (1.2s)
  - [skip] a › later
  ✔ [expected fail] a › known
  ✘ [fail]: a › bad
  ─

  a › bad

  Difference (- actual, + expected):

    9 tests failed

  ─

  1 test failed
  1 known failure
  1 test skipped
  2 tests todo
  1 uncaught exception
`;
  t.deepEqual(countTests(report, false), { passed: 2, failed: 2, skipped: 4 });
});

test('a run with a failing exit code counts as a failure even if every test passed', (t) => {
  const report = '\n  ✔ good\n  ✘ No tests found in test/b.test.ts\n  ─\n\n  1 test passed\n';
  t.deepEqual(countTests(report, false), { passed: 1, failed: 1, skipped: 0 });
  t.deepEqual(countTests('', false), { passed: 0, failed: 1, skipped: 0 });
});

test('a run without failures reports none', (t) => {
  t.deepEqual(countTests('\n  ✔ one\n  ✔ two\n  ─\n\n  2 tests passed\n', true), { passed: 2, failed: 0, skipped: 0 });
});

test('a report of failures omits passed tests', (t) => {
  const report = `
  ✔ a › good
    ℹ what it logged
  ✘ [fail]: a › bad
    ℹ what led to it
  - [skip] a › later
  Uncaught exception in test/a.test.ts

  Error: out of a callback
      at somewhere
  ✔ a › good as well
  ─

  a › bad

  Difference (- actual, + expected):

  - []
  + [1]

  ─

  1 test failed
`;
  t.is(
    withoutPassed(report),
    `  ✘ [fail]: a › bad
    ℹ what led to it
  Uncaught exception in test/a.test.ts

  Error: out of a callback
      at somewhere
  ─

  a › bad

  Difference (- actual, + expected):

  - []
  + [1]

  ─

  1 test failed`,
  );
});
