import test from 'ava';
import { findVolume } from '../../../lib/models/find-volume.ts';
import { checkText, checkVolumeName } from '../../../lib/models/check-text.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';
import { insertVolume } from '../../support/records.ts';

let cluster: Cluster;
let store: Store;
const ids = {
  first: 'db1f0000-0000-4000-8000-000000000001',
  second: 'db1f0000-0000-4000-8000-000000000002',
  third: 'ee000000-0000-4000-8000-000000000003',
};

test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
  await insertVolume(store, { id: ids.first, name: 'one' });
  await insertVolume(store, { id: ids.second, name: 'db1f0000' });
  await insertVolume(store, { id: ids.third, name: ids.first }); // as a version before this one allowed
});
test.after.always(() => cluster.close());

const found = async (reference: string, byBeginning = true) => (await findVolume(store, reference, { byBeginning })).id;

test('a full id means that volume, whatever others are named', async (t) => {
  t.is(await found(ids.first), ids.first);
  t.is(await found(ids.first.toUpperCase(), false), ids.first);
  await t.throwsAsync(found('db1f0000-0000-4000-8000-000000000009'), { code: 'VolumeNotFound' });
});

test('an exact name comes before the beginning of an id', async (t) => {
  t.is(await found('one', false), ids.first);
  t.is(await found('db1f0000', false), ids.second);
});

test('a name with the id of another volume in it means neither', async (t) => {
  const other = 'ac000000-0000-4000-8000-000000000000';
  await insertVolume(store, { id: other, name: 'other' });
  const names = [`vol-${other}`, `volume-${other}`, `{${other}}`, other.replaceAll('-', '')];
  for (const [number, name] of names.entries()) {
    const id = `ac000000-0000-4000-8000-00000000001${number}`;
    await insertVolume(store, { id, name });
    await t.throwsAsync(found(name, false), { code: 'VolumeAmbiguous', message: new RegExp(`${id}, ${other}`) }, name);
  }
  const claimed = 'ac000000-0000-4000-8000-000000000020';
  await insertVolume(store, { id: claimed, name: 'pvc-ad000000-0000-4000-8000-000000000000' });
  t.is(await found('pvc-ad000000-0000-4000-8000-000000000000', false), claimed);
});

test('the beginning of an id has at least eight digits', async (t) => {
  t.is(await found('ee000000'), ids.third);
  t.is(await found('EE000000-0000-4'), ids.third);
  t.is(await found('vol-ee000000'), ids.third);
  for (const reference of [
    'e',
    'ee00000',
    'ee00000-',
    'vol-ee00000',
    'vol-one',
    'vol-',
    'vol-ee0000000',
    '-'.repeat(9),
  ]) {
    await t.throwsAsync(found(reference), { code: 'VolumeNotFound' }, reference);
  }
  for (const empty of ['', ' ']) await t.throwsAsync(found(empty), { code: 'InvalidArgument' });
  await t.throwsAsync(found('db1f0000-0000'), { code: 'VolumeAmbiguous', message: new RegExp(ids.second) });
});

test('the beginning of an id does not do for what cannot be undone', async (t) => {
  for (const reference of ['ee000000', 'vol-ee000000']) {
    await t.throwsAsync(found(reference, false), { code: 'VolumeNotNamed', message: new RegExp(ids.third) });
  }
});

test('a text that contains the id of a volume is no name of a deleted one, in whatever form', async (t) => {
  const texts = [
    `volume-${ids.third}`,
    ids.third.replaceAll('-', ''),
    `/dev/mapper/group-volume--${ids.third.replaceAll('-', '--')}`,
    `{${ids.third.toUpperCase()}}`,
  ];
  for (const reference of texts) {
    await t.throwsAsync(
      found(reference, false),
      { code: 'InvalidArgument', message: new RegExp(ids.third) },
      reference,
    );
  }
});

test('a name that contains an id which no volume has may be that of a deleted volume', async (t) => {
  const other = 'db1f0000-0000-4000-8000-000000000009';
  for (const reference of [`pvc-${other}`, `cache-${other.replaceAll('-', '')}`]) {
    await t.throwsAsync(found(reference, false), { code: 'VolumeNotFound' }, reference);
  }
});

test('names that are empty, invisible, too long, or have the form of an id or an option are refused', (t) => {
  const refused = [
    '',
    ' ',
    '  a',
    'a ',
    '--',
    '-x',
    'a\nb',
    'a\u001B[2J',
    '\u202Etxt',
    '\u200B',
    '\u2028',
    '\u{D800}',
    '\u3164',
    '\u115F',
    'a\u034Fb',
    'a\u{E0041}',
    '\u2800',
    '\u0301a',
    '\u00A0',
    '\u009B2J',
    '\uFFFD',
  ];
  for (const name of [...refused, ids.third, 'vol-0123abcd', 'ä'.repeat(128), 'x'.repeat(256)]) {
    t.throws(() => checkVolumeName(name), { code: 'InvalidArgument' }, JSON.stringify(name));
  }
  for (const name of [
    'data',
    'vol-1',
    'vol-0123abcdef',
    'Größe 表',
    'e\u0301',
    '👍',
    'x'.repeat(255),
    'db1f0000',
    '@now',
  ]) {
    t.is(checkVolumeName(name), name.normalize('NFC'));
  }
  t.is(checkText('instance', '-1'), '-1');
  const { message } = t.throws(() => checkText('user', 'ü'.repeat(200)));
  t.true(message.length < 120, message);
});

test('a name is the same in each of its Unicode forms', async (t) => {
  const composed = 'caf\u00E9';
  const decomposed = 'cafe\u0301';
  t.is(checkVolumeName(decomposed), composed);
  t.is(checkText('project', decomposed), composed);
  const [earlier, later] = ['ab000000-0000-4000-8000-000000000001', 'ab000000-0000-4000-8000-000000000002'];
  await insertVolume(store, { id: earlier, name: decomposed }); // as a version before this one allowed
  t.is(await found(composed, false), earlier);
  await insertVolume(store, { id: later, name: composed });
  for (const name of [composed, decomposed]) {
    await t.throwsAsync(found(name, false), { code: 'VolumeAmbiguous', message: new RegExp(`${earlier}, ${later}`) });
  }
});

test('a reference that no volume can have is refused: its volume does not count as deleted', async (t) => {
  for (const reference of [`${ids.first}\r`, ` ${ids.first}`, 'one\n', 'x'.repeat(100_000)]) {
    const error = await t.throwsAsync(found(reference, false), { code: 'InvalidArgument', message: /^volume "/ });
    t.true(error.message.length < 200, error.message);
  }
});
