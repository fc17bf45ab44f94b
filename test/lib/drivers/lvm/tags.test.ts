import test from 'ava';
import * as fc from 'fast-check';
import { labelsIn, tagsOf } from '../../../../lib/drivers/lvm/tags.ts';
import { spec } from '../conformance.ts';

test('whatever its owner is called, a volume is recognised by its tags, and LVM accepts them', (t) => {
  const text = fc.string({ unit: 'grapheme', maxLength: 60 });
  fc.assert(
    fc.property(text, text, fc.option(fc.nat(65_534)), (userId, projectId, shelf) => {
      const address = shelf === null ? {} : { shelfId: shelf, bladeId: shelf % 255 };
      const volume = spec({ userId, projectId, ...address });
      const tags = tagsOf(volume);
      for (const tag of tags) t.regex(tag, /^[A-Za-z0-9_+.][A-Za-z0-9_+./=!:&#-]{0,1023}$/);
      const { sizeBytes: _, ...labels } = volume;
      t.deepEqual(labelsIn(tags), labels);
    }),
  );
});

test('tags of others and numbers that are none are passed over', (t) => {
  t.deepEqual(labelsIn(['ours', 'blockstore', 'blockstore:size=many', 'blockstore:new=1', 'blockstore:user=a']), {
    userId: 'a',
  });
});

test('what LVM has no room for is refused', (t) => {
  t.throws(() => tagsOf(spec({ userId: 'ä'.repeat(200) })), { code: 'InvalidArgument' });
});
