import test from 'ava';
import type { Lvm } from '../../../../lib/drivers/lvm/lvm.ts';
import { groupContent } from '../../../../lib/drivers/lvm/reports.ts';

const group = { vg_size: '400', vg_extent_size: '4', vg_mda_free: '100', vg_missing_pv_count: '0', vg_tags: '' };
const volume = { lv_name: 'one', lv_size: '300', lv_tags: '', lv_health_status: '', lv_layout: 'linear', pool_lv: '' };

/** A fake LVM that gives these rows, one set after the other, and then the last one again. */
function giving(...reports: object[][]): Lvm {
  const left = [...reports];
  return {
    async command() {
      const rows = (left.length > 1 ? left.shift() : left[0]) ?? [];
      return { status: 0, rows, reported: true, messages: [] };
    },
    async close() {},
  };
}

test('the first volume of a group that is created between two reads is in its figures', async (t) => {
  const lvm = giving([], [{ ...group, vg_free: '100' }], [{ ...group, ...volume, vg_free: '100' }]);
  const { freeBytes, volumes } = await groupContent(lvm, 'vg');
  t.deepEqual([freeBytes, volumes.map(({ sizeBytes }) => sizeBytes)], [100, [300]]);
});

test('an empty group has all its space, or what LVM keeps of it for itself is not counted', async (t) => {
  t.like(await groupContent(giving([], [{ ...group, vg_free: '400' }]), 'vg'), { freeBytes: 400, volumes: [] });
  const hidden = giving([], [{ ...group, vg_free: '390' }], [], [{ ...group, vg_free: '390' }]);
  t.like(await groupContent(hidden, 'vg'), { freeBytes: 390, volumes: [] });
});
