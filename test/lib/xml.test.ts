import test from 'ava';
import { descendants, parseXml, writeXml } from '../../lib/xml.ts';

test('an element has its attributes, children and text, as text whatever they look like', (t) => {
  const xml = `<?xml version="1.0" encoding="UTF-8" ?>
<a number='007' flag="true" empty=''><!-- <x/> --><b toString="f">0x10</b><![CDATA[<c>]]><b/></a>
`;
  const b = (text: string, attributes = {}) => ({ name: 'b', attributes, children: [], text });
  t.deepEqual(parseXml(xml), {
    name: 'a',
    attributes: { number: '007', flag: 'true', empty: '' },
    children: [b('0x10', { toString: 'f' }), b('')],
    text: '<c>',
  });
});

test('references are resolved once', (t) => {
  const root = parseXml(`<a x='&lt;&gt;&amp;&quot;&apos;&amp;lt;&#65;&#x42;&other;'>&lt;&amp;amp;&#228;</a>`);
  t.is(root?.attributes['x'], `<>&"'&lt;AB&other;`);
  t.is(root?.text, '<&amp;ä');
});

test('elements below an element are found at any depth, in the order of the document', (t) => {
  const root = parseXml('<s><s n="1"><t/><s n="2"/></s><u><s n="3"/></u></s>');
  t.deepEqual(root && descendants(root, 's').map(({ attributes }) => attributes['n']), ['1', '2', '3']);
});

const nested = (depth: number) => '<a>'.repeat(depth) + '</a>'.repeat(depth);

test('a chain of two hundred overlays is not too deep', (t) => {
  t.not(parseXml(nested(400)), undefined);
  t.is(parseXml(nested(5000)), undefined);
});

for (const text of [
  '',
  'text',
  '<a>',
  '<a></b>',
  '<a/><b/>',
  '<a/> trailer',
  'banner <a/>',
  '<a b="1" b="2"/>',
  '<a b=1/>',
  '<a b/>',
  '<a>&</a>',
  '<a><b></a></b>',
  '</document><document><a/>',
  '<a/></document><document>',
  '<!DOCTYPE a [<!ENTITY x "y">]><a>&x;</a>',
  '<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
  '<a __proto__="x"/>',
]) {
  test(`no document: ${JSON.stringify(text)}`, (t) => {
    t.is(parseXml(text), undefined);
  });
}

test('what is written is read as it was', (t) => {
  const odd = `'"><x/>&amp;]]> true 007 `;
  const xml = writeXml({ name: 'a', attributes: { odd }, children: [{ name: 'b', text: odd }, { name: 'c' }] });
  const leaf = (name: string, text: string) => ({ name, attributes: {}, children: [], text });
  t.deepEqual(parseXml(xml), { name: 'a', attributes: { odd }, children: [leaf('b', odd), leaf('c', '')], text: '' });
});
