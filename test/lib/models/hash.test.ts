import test from 'ava';
import { hashSchema } from '../../../lib/models/hash.ts';

test('a record has fields whose values are texts; anything else is none', (t) => {
  t.deepEqual(hashSchema.parse({ status: 'available', size: '1' }), { status: 'available', size: '1' });
  t.deepEqual(hashSchema.parse({}), {});
  for (const other of [undefined, null, 'text', 1, [], ['text'], { size: 1 }, { size: null }, { size: ['1'] }]) {
    t.false(hashSchema.safeParse(other).success, JSON.stringify(other));
  }
});
