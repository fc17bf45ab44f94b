import test from 'ava';
import type { Moment } from './plan.ts';
import { oneForEachState } from './states.ts';

test('each state has one crash point', (t) => {
  const trace: [number, Moment, string][] = [
    [1, 'before', 'mkdir exports'],
    [1, 'after', 'mkdir exports'],
    [2, 'before', 'lvm < lvs'],
    [2, 'after', 'lvm < lvs'],
    [3, 'before', 'lvm > answer to lvs'],
    [4, 'before', 'lvm < lvcreate'],
    [4, 'after', 'lvm < lvcreate'],
    [5, 'before', 'rm ID.log'],
    [6, 'before', 'lvm > answer to lvcreate'],
    [7, 'before', 'script change'],
    [5, 'after', 'rm ID.log'],
    [7, 'after', 'script change'],
  ];
  const points = trace.map(([number, moment, name]) => ({ number, moment, name, turn: 1 }));
  t.deepEqual(
    oneForEachState(points).map(({ number, moment, name }) => `${number} ${moment} ${name}`),
    [
      '1 before mkdir exports', // nothing was done
      '1 after mkdir exports',
      '4 after lvm < lvcreate', // it is being made
      '6 before lvm > answer to lvcreate', // it is there
      '5 after rm ID.log',
      '7 after script change',
    ],
  );
});
