import { type BlockstoreError, errors } from '../../errors.ts';
import type { ThinPoolName } from '../../lvm-thin-errors.ts';
import type { Parts } from './parts.ts';
import type { LogicalVolume } from './reports.ts';
import { ourTag } from './tags.ts';
import type { ThinPoolReport } from './thin-pool-report.ts';

/** It is no label of a volume: no label has a hyphen in its name. */
const poolTag = `${ourTag}:thin-pool`;

const kiB = 2 ** 10;
const miB = 2 ** 20;
const gibiByte = 2 ** 30;

/** What the metadata has for each chunk that a volume or a snapshot has mapped. */
const bytesPerChunk = 64;

/** Whether blockstore made the pool, so that its settings are ours. */
export function isPoolOfOurs({ tags }: Pick<ThinPoolReport, 'tags'>): boolean {
  return tags.includes(poolTag);
}

/**
 * Returns the sizes of a pool on so many free bytes; undefined where they are too few. The metadata holds each chunk five times, as
 * volumes and snapshots that share chunks have them each. LVM keeps as much for its repair, and twice that stays free, so that the
 * metadata can grow in a group that gets no disk.
 */
export function sizesOfPool(
  freeBytes: number,
  extentBytes: number,
): { dataBytes: number; metadataBytes: number; chunkBytes: number } | undefined {
  const upwards = (bytes: number) => Math.ceil(bytes / extentBytes) * extentBytes;
  // LVM allows 15.8 GiB.
  const metadataBytes = upwards(Math.min(15 * gibiByte, Math.max(16 * miB, freeBytes / 200)));
  const dataBytes = Math.floor((freeBytes - 4 * metadataBytes) / extentBytes) * extentBytes;
  let chunkBytes = 64 * kiB;
  while ((dataBytes / chunkBytes) * bytesPerChunk * 5 > metadataBytes) chunkBytes *= 2;
  return dataBytes > 0 ? { dataBytes, metadataBytes, chunkBytes } : undefined;
}

/** Returns why there is no pool and none is to be made; undefined where it is. `isNamed`: by the flags. */
export function missingPool(
  pool: ThinPoolName,
  volumes: readonly Pick<LogicalVolume, 'name' | 'tags'>[],
  { isNamed, mayCreate }: { isNamed: boolean; mayCreate: boolean },
): BlockstoreError | undefined {
  const renamed = isNamed ? undefined : volumes.find(isPoolOfOurs);
  if (renamed) return errors.thinPoolRenamed(pool, renamed.name);
  return mayCreate ? undefined : errors.thinPoolMissing(pool);
}

/** Makes the pool on the free space of the group, where the flags allow that. Throws ThinPoolMissing, NoSpace. */
export async function createThinPool(
  { options, openGroup, changes }: Pick<Parts, 'options' | 'openGroup' | 'changes'>,
  pool: ThinPoolName,
): Promise<void> {
  const { freeBytes, extentBytes, volumes } = await openGroup.content();
  const { thinPool, storageCreate: mayCreate } = options;
  const refused = missingPool(pool, volumes, { isNamed: thinPool !== '', mayCreate });
  if (refused) throw refused;
  const sizes = sizesOfPool(freeBytes, extentBytes);
  if (!sizes) throw errors.noSpace(`volume group ${options.volumeGroup}`, 4 * 16 * miB + extentBytes, freeBytes);
  const { dataBytes, metadataBytes, chunkBytes } = sizes;
  const size = ['-L', `${dataBytes}b`, '--poolmetadatasize', `${metadataBytes}b`, '-c', `${chunkBytes}b`];
  const settings = ['-Zy', '--discards', 'passdown'];
  const [, name = ''] = pool.name.split('/');
  const named = ['--addtag', ourTag, '--addtag', poolTag, '-n', name, options.volumeGroup];
  await changes.carryOut(['lvcreate', '-y', '--type', 'thin-pool', ...settings, ...size, ...named]);
}
