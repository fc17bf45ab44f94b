import test from 'ava';
import { sample, sampleNumber } from './sample.ts';

const pool = Array.from({ length: 100 }, (_, index) => String(index));
const self = (name: string) => name;

test('a sample has the requested size and the order of its pool, and is reproducible', (t) => {
  const chosen = sample('topic', pool, 7, self);
  t.is(chosen.length, 7);
  t.deepEqual(
    chosen,
    pool.filter((name) => chosen.includes(name)),
  );
  t.deepEqual(sample('topic', pool, 7, self), chosen);
  t.notDeepEqual(sample('another topic', pool, 7, self), chosen);
});

test('a sample does not grow with its pool, and a small pool is used completely', (t) => {
  t.is(sample('topic', [...pool, 'new', 'newer'], 7, self).length, 7);
  t.deepEqual(sample('topic', pool.slice(0, 3), 7, self), pool.slice(0, 3));
});

test('every item is sampled eventually', (t) => {
  const seen = new Set(Array.from({ length: 200 }, (_, topic) => sample(String(topic), pool, 10, self)).flat());
  t.is(seen.size, pool.length);
  t.true(
    Array.from({ length: 100 }, (_, topic) => sampleNumber(String(topic), 6)).every((one) => one >= 1 && one <= 6),
  );
});
