import test from 'ava';
import { errors } from '../../../../lib/errors.ts';
import { RestartHistory } from '../../../../lib/targets/aoe/restart-history.ts';

function make() {
  const clock = { now: 1000 };
  return { history: new RestartHistory(() => clock.now), clock };
}

const failure = errors.exportFailed('a', 'no storage');

test('an export that fails to restart is a problem at once, and is tried less and less often', (t) => {
  const { history, clock } = make();
  t.true(history.isDue('a'));
  const pauses: number[] = [];
  for (let attempt = 0; attempt < 6; attempt += 1) {
    history.noteFailure('a', failure);
    const failed = clock.now;
    while (!history.isDue('a')) clock.now += 1000;
    pauses.push((clock.now - failed) / 1000);
  }
  t.deepEqual(pauses, [2, 4, 8, 16, 30, 30]);
  t.deepEqual(history.problems, [{ id: 'a', error: failure }]);
  history.noteRunning('a');
  t.deepEqual(history.problems, []);
  t.true(history.isDue('a'));
});

test('an export that ends again after each restart is restarted less and less often, and is a problem', (t) => {
  const { history, clock } = make();
  const pauses: number[] = [];
  for (let restart = 0; restart < 7; restart += 1) {
    t.is(history.problemOf('a')?.code, restart < 4 ? undefined : 'ExportFailed');
    history.noteRestart('a');
    history.noteRunning('a'); // a report finds that it runs
    const restarted = clock.now;
    while (!history.isDue('a')) clock.now += 1000;
    pauses.push((clock.now - restarted) / 1000);
  }
  t.deepEqual(pauses, [0, 2, 4, 8, 16, 30, 30]);
  t.regex(history.problemOf('a')?.message ?? '', /has ended 7 times/);
  clock.now += 60_001;
  t.is(history.problemOf('a'), undefined, 'it runs');
  history.noteRestart('a');
  t.true(history.isDue('a'), 'a later end is the first one again');
});

test('a return of the interface, and a removal, end the history', (t) => {
  const { history } = make();
  for (const id of ['a', 'b']) history.noteFailure(id, failure);
  history.clear('a');
  t.deepEqual(
    history.problems.map(({ id }) => id),
    ['b'],
  );
  history.clearAll();
  t.deepEqual(history.problems, []);
});
