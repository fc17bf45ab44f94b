import test from 'ava';
import { isPrintable, printable, printableJson, printableLines } from '../../lib/printable.ts';

const invisible = '\u202Eb\u200B\u2028\u{D800}\u3164\uFE0F\u2800\u{E0041}';

test('control, format and other invisible characters are escaped', (t) => {
  t.is(printable('a\u001B[31mb\n\u009B1m'), String.raw`a\u{1b}[31mb\u{a}\u{9b}1m`);
  t.is(printable(invisible), String.raw`\u{202e}b\u{200b}\u{2028}\u{d800}\u{3164}\u{fe0f}\u{2800}\u{e0041}`);
  t.is(printable('Größe 表 👍 e\u0301'), 'Größe 表 👍 e\u0301');
  t.is(printableLines('a\r\nb'), 'a\\u{d}\nb');
});

test('JSON is equal when parsed, and has no invisible character but its line ends', (t) => {
  const value = { [`name ${invisible}`]: [`${invisible}\n\t"\\`, 'Größe 表 👍'] };
  for (const indent of [undefined, 2]) {
    const text = printableJson(value, indent);
    t.deepEqual(JSON.parse(text), value);
    t.true(text.split('\n').every(isPrintable), text);
  }
  t.true(printableJson(value).includes('Größe 表 👍'));
});
