import test from 'ava';
import { cut, displayWidth, duration, printable, volumeSize } from '../../cli/format.ts';
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

test('control, format and other invisible characters are escaped', (t) => {
  t.is(printable('a\u001B[31mb\n'), String.raw`a\u{1b}[31mb\u{a}`);
  t.is(printable('\u202Eb\u200B\u2028\u{D800}'), String.raw`\u{202e}b\u{200b}\u{2028}\u{d800}`);
  t.is(printable('Größe 表 👍'), 'Größe 表 👍');
});

test('text is cut by the columns that it takes', (t) => {
  t.is(displayWidth('abc'), 3);
  t.is(displayWidth('表e\u0301'), 3);
  t.is(cut('abc', 3), 'abc');
  t.is(cut('abcd', 3), 'ab…');
  t.is(cut('表表表', 4), '表…');
});
