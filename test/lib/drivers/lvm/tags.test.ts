import test from 'ava';
import * as fc from 'fast-check';
import { labelsIn, tagsOf } from '../../../../lib/drivers/lvm/tags.ts';
import { spec } from '../conformance.ts';

test('LVM accepts the tags of any labels, and they are parsed back', (t) => {
  const name = fc.stringMatching(/^[a-z]{1,30}$/).filter((text) => text !== 'id');
  const labels = fc.dictionary(name, fc.string({ unit: 'grapheme', maxLength: 60 }), { noNullPrototype: true });
  fc.assert(
    fc.property(labels, (some) => {
      const volume = spec({ labels: some });
      const tags = tagsOf(volume);
      for (const tag of tags) t.regex(tag, /^[A-Za-z0-9_+.][A-Za-z0-9_+./=!:&#-]{0,1023}$/);
      t.deepEqual(labelsIn(tags), { id: volume.id, labels: volume.labels });
    }),
  );
});

test('foreign tags are ignored', (t) => {
  const tags = ['ours', 'blockstore', 'blockstore:', 'blockstore:Size=1', 'blockstores:a=1', 'blockstore:user=a'];
  t.deepEqual(labelsIn(tags), { labels: { user: 'a' } });
});

test('a label that is too long for a tag is refused', (t) => {
  t.throws(() => tagsOf(spec({ labels: { user: 'ä'.repeat(200) } })), { code: 'InvalidArgument' });
});
