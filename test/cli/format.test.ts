import test from 'ava';
import { cut, displayWidth, duration, volumeSize } from '../../cli/format.ts';
import { byteSize } from '../../lib/format-bytes.ts';

test('sizes are printed in binary units, rounded down', (t) => {
  t.is(volumeSize(0), '100 MiB');
  t.is(volumeSize(10), '10 GiB');
  t.is(byteSize(0), '0 bytes');
  t.is(byteSize(1023), '1023 bytes');
  t.is(byteSize(1536), '1.5 KiB');
  t.is(byteSize(2 ** 50), '1 PiB');
  t.is(byteSize(2 ** 50 - 1), '1023 TiB');
});

test('durations are rounded down and never negative', (t) => {
  t.is(duration(-5000), '0 s');
  t.is(duration(119_999), '119 s');
  t.is(duration(120_000), '2 min');
  t.is(duration(3 * 3_600_000), '3 h');
  t.is(duration(72 * 3_600_000), '3 d');
});

test('text is cut by the columns that it takes', (t) => {
  t.is(displayWidth('abc'), 3);
  t.is(displayWidth('表e\u0301'), 3);
  t.is(cut('abc', 3), 'abc');
  t.is(cut('abcd', 3), 'ab…');
  t.is(cut('表表表', 4), '表…');
});
