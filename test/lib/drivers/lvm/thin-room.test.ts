import test from 'ava';
import { isPoolOfOurs, sizesOfPool } from '../../../../lib/drivers/lvm/new-thin-pool.ts';
import { type ThinUsage, refusal, sizesIn, warning } from '../../../../lib/drivers/lvm/thin-room.ts';

const miB = 2 ** 20;
const giB = 2 ** 30;
const name = { backend: 'fast', name: 'g/pool' };

function usage(fields: Partial<ThinUsage> & { data?: number; metadata?: number } = {}): ThinUsage {
  const { data = 10, metadata = 10, ...rest } = fields;
  const report = { sizeBytes: 10 * giB, dataPercent: data, metadataPercent: metadata };
  return { name, report, promisedBytes: 0, ratio: 1, ...rest };
}

test('all of a pool can be promised, and so many times more as the ratio says', (t) => {
  t.is(refusal(usage(), 10 * giB), undefined);
  t.is(refusal(usage({ promisedBytes: 9 * giB, ratio: 1.5 }), 6 * giB), undefined);
  t.like(refusal(usage({ promisedBytes: 9 * giB }), 2 * giB), {
    code: 'NoSpace',
    message:
      'backend fast: thin pool g/pool has 1 GiB left for new volumes and snapshots (max_over_subscription_ratio 1); ' +
      'the request needs 2 GiB',
  });
  t.regex(refusal(usage({ promisedBytes: 12 * giB }), 1)?.message ?? '', /has 0 bytes left/);
});

test('a pool is reported, then refuses, when its data or its metadata is nearly full', (t) => {
  const over = { promisedBytes: 20 * giB, ratio: 3 };
  t.is(warning(usage({ ...over, data: 79.9, metadata: 59.9 })), undefined);
  t.regex(warning(usage({ ...over, data: 80 }))?.message ?? '', /g\/pool is 80 % full/);
  t.is(refusal(usage({ ...over, data: 89.9 }), 0), undefined);
  t.like(refusal(usage({ ...over, data: 90 }), 0), { code: 'NoSpace', kind: 'exhausted' });
  t.regex(warning(usage({ metadata: 60 }))?.hint ?? '', /lvextend --poolmetadatasize \+SIZE g\/pool/);
  t.is(refusal(usage({ metadata: 74.9 }), 0), undefined);
  t.regex(
    refusal(usage({ metadata: 75 }), 0)?.message ?? '',
    /^the metadata of backend fast: thin pool g\/pool is 75 % full/,
  );
});

test('a pool that is full and cannot overflow refuses nothing that fits', (t) => {
  t.is(refusal(usage({ data: 99, promisedBytes: 9 * giB }), giB), undefined);
  t.is(warning(usage({ data: 99, promisedBytes: 10 * giB })), undefined);
  t.like(refusal(usage({ data: 99, promisedBytes: 9 * giB, ratio: 2 }), 2 * giB), { code: 'NoSpace' });
});

test('every volume of the pool counts, in whole chunks of it, and no other one', (t) => {
  const volumes = [
    { isThin: true, pool: 'pool', sizeBytes: 3 * miB },
    { isThin: true, pool: 'other', sizeBytes: 50 * miB },
    { isThin: false, pool: '', sizeBytes: 50 * miB },
  ];
  t.is(sizesIn('pool', { chunkBytes: 2 * miB }, volumes), 4 * miB);
});

test('a new pool leaves space for its metadata, for the repair of that, and for its growth', (t) => {
  const extent = 4 * miB;
  for (const freeBytes of [100 * miB, 4 * giB - extent, 10 * 1024 * giB, 1024 * 1024 * giB]) {
    const sizes = sizesOfPool(freeBytes, extent);
    t.truthy(sizes);
    const { dataBytes = 0, metadataBytes = 0, chunkBytes = 1 } = sizes ?? {};
    t.true(dataBytes + 4 * metadataBytes <= freeBytes);
    t.deepEqual([dataBytes % extent, metadataBytes % extent, chunkBytes % 65_536], [0, 0, 0]);
    t.true((dataBytes / chunkBytes) * 320 <= metadataBytes, 'five times each chunk');
    t.true(metadataBytes <= 15 * giB);
  }
  t.is(sizesOfPool(64 * miB, extent), undefined);
});

test('a pool is ours by its tag alone', (t) => {
  t.true(isPoolOfOurs({ tags: ['blockstore', 'blockstore:thin-pool'] }));
  t.false(isPoolOfOurs({ tags: ['blockstore'] }));
});
