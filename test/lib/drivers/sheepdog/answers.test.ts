import test from 'ava';
import { parseCluster, parseImages, parseSpace } from '../../../../lib/drivers/sheepdog/answers.ts';
import { decodeLabels, encodeLabels, snapshotIdsOf, volumeIdOf } from '../../../../lib/drivers/sheepdog/names.ts';

const id = '0b5e1f4a-6a39-4f6d-9d3c-1a2b3c4d5e6f';
const row = `= volume-${id} 0 1073741824 8388608 4194304 1372189901 fd32fc 3  22`;

test('a list has images, snapshots and clones, with and without tags', (t) => {
  const text = `${row}\ns base 1 100 0 0 1372189901 1a 4:2 snap of May 22\nc copy 0 100 0 4194304 1372189901 1b 3  22`;
  const figures = { usedBytes: 0, sharedBytes: 0, sizeBytes: 100, copies: '3', tag: '' };
  t.deepEqual(parseImages(text), [
    {
      ...figures,
      kind: 'current',
      name: `volume-${id}`,
      sizeBytes: 2 ** 30,
      usedBytes: 2 ** 23,
      sharedBytes: 2 ** 22,
    },
    { ...figures, kind: 'snapshot', name: 'base', tag: 'snap of May', copies: '4:2' },
    { ...figures, kind: 'clone', name: 'copy', sharedBytes: 2 ** 22 },
  ]);
  t.deepEqual(parseImages(''), []);
});

test('a backslash in a list makes the next character a part of the name', (t) => {
  for (const [printed, name] of [
    [String.raw`two\ words`, 'two words'],
    [String.raw`back\\slash`, String.raw`back\slash`],
    [String.raw`end\\`, 'end\\'],
    ['line\\\nfeed', 'line\nfeed'],
    [String.raw`\ 0\ 1\ 2`, ' 0 1 2'],
  ] as const) {
    t.deepEqual(
      parseImages(row.replace(`volume-${id}`, printed))?.map((image) => image.name),
      [name],
    );
  }
});

test('a list that breaks off, or has another form, is not a list', (t) => {
  const [half, noise] = [row.slice(0, 60), 'There are no active sheep daemons'];
  for (const text of [half, `${row}\n${half}`, `${half}\n${row}`, noise, `${noise}\n${row}`, `${row}\n\n${row}`]) {
    t.is(parseImages(text), undefined, text);
  }
});

test('the space of a cluster is the total of its nodes', (t) => {
  const text = '0 1000 250 750 25%\n1 1000 500 500 50%\nTotal 2000 750 1250 37% 107374182400';
  t.deepEqual(parseSpace(text), { totalBytes: 2000, freeBytes: 1250 });
  t.is(parseSpace(text.slice(0, -20)), undefined);
  t.is(parseSpace(''), undefined);
});

test('a cluster runs only if it says so', (t) => {
  const created = '\n\nCluster created at Tue Jun 25 19:51:41 2013\n\nEpoch Time           Version';
  t.deepEqual(parseCluster(`Cluster status: running, auto-recovery enabled${created}`), {
    status: 'running, auto-recovery enabled',
    isRunning: true,
    created: '2013-06-25T19:51:41.000Z',
  });
  t.like(parseCluster('Cluster status: Waiting for cluster to be formatted'), { isRunning: false, created: '' });
  t.is(parseCluster('something else'), undefined);
});

test('labels survive their form, and a value that is cut off or of another volume has none', (t) => {
  const labels = { user: "o'neil & söhne", name: ' "x"\\\n#=%+', anything: '' };
  const value = encodeLabels(id, labels);
  t.deepEqual(decodeLabels(id, value), labels);
  t.notRegex(value, /['\s"\\$`]/);
  t.is(decodeLabels(id, value.slice(0, -1)), undefined);
  t.is(decodeLabels(id.replace('0', '1'), value), undefined);
  t.throws(() => encodeLabels(id, { name: 'x'.repeat(70_000) }), { code: 'InvalidArgument' });
});

test('only the exact names of volumes and snapshots are of blockstore', (t) => {
  const image = {
    kind: 'current',
    name: `volume-${id}`,
    tag: '',
    sizeBytes: 1,
    usedBytes: 0,
    sharedBytes: 0,
    copies: '3',
  } as const;
  t.is(volumeIdOf(image), id);
  t.is(volumeIdOf({ ...image, name: `${image.name}.old` }), undefined);
  t.is(volumeIdOf({ ...image, kind: 'snapshot' }), undefined);
  t.deepEqual(snapshotIdsOf({ ...image, kind: 'snapshot', tag: `snap-${id}` }), { id, volumeId: id });
  t.is(snapshotIdsOf({ ...image, kind: 'snapshot', tag: `clone-${id}` }), undefined);
});
