import test from 'ava';
import { timeLimit } from '../../lib/format-text.ts';

test('a time limit has milliseconds below a second, and at most tenths above', (t) => {
  t.deepEqual([0.4, 1, 300, 999, 1000, 1500, 60_000].map(timeLimit), [
    '1 ms',
    '1 ms',
    '300 ms',
    '999 ms',
    '1 s',
    '1.5 s',
    '60 s',
  ]);
});
