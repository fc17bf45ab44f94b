import { failureOf } from './failures.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { LvmAnswer } from './lvm.ts';
import type { Parts } from './parts.ts';

interface NewLogicalVolume {
  name: string;
  sizeBytes: number;
  tags: readonly string[];
  signal?: AbortSignal | undefined;
}

/** Makes an LV for a new volume, thick or thin. Returns the command and what LVM answered. Throws NoSpace, ThinPoolUnusable. */
export async function allocate(
  { options, changes, pools }: Pick<Parts, 'options' | 'changes' | 'pools'>,
  volumes: LogicalVolumes,
  { name, sizeBytes, tags, signal }: NewLogicalVolume,
): Promise<{ args: readonly string[]; answer: LvmAnswer }> {
  const pool = pools.forNew;
  const named = ['-n', name, ...tags.flatMap((tag) => ['--addtag', tag]), options.volumeGroup];
  const size = `${sizeBytes}b`;
  // -Z zeroes the first 4 KiB, so that no earlier file system appears in a new volume. A thin one is all zeros. Searching for
  // signatures elsewhere (-W) would take a third of the command's time.
  const kind = pool === undefined ? ['-Zy', '-L', size] : ['-V', size, '--thinpool', pool];
  const args = ['lvcreate', '-y', '-Wn', ...kind, ...named];
  const make = () => changes.command(args, signal ? { signal } : {});
  const answer = await (pool === undefined ? make() : pools.allocate(pool, sizeBytes, make));
  if (failureOf(answer) !== 'noSpace') return { args, answer };
  throw pool === undefined ? await volumes.noSpace(sizeBytes, answer) : pools.refused(pool, answer);
}
