import { z } from 'zod';
import { failureOf, lvmError } from './failures.ts';
import type { Lvm } from './lvm.ts';
import { bytes, inBytes, read, words } from './reports.ts';

/** Empty where the pool is inactive, or its kernel target failed. */
const percent = z.string().transform((text) => (text === '' ? undefined : Number(text)));

const thinPool = z
  .object({
    lv_size: bytes,
    lv_tags: words,
    lv_layout: words,
    lv_health_status: z.string(),
    lv_check_needed: z.string(),
    data_percent: percent,
    metadata_percent: percent,
    zero: z.string(),
    chunk_size: bytes,
  })
  .transform((row) => ({
    sizeBytes: row.lv_size,
    tags: row.lv_tags,
    isPool: row.lv_layout.includes('thin') && row.lv_layout.includes('pool'),
    /** Why the kernel does not change its metadata. */
    damage: damageOf(row),
    dataPercent: row.data_percent,
    metadataPercent: row.metadata_percent,
    /** Whether a block reads as zeros until a volume has written to it. */
    isZeroing: row.zero === 'zero',
    /** What a volume takes at a time. */
    chunkBytes: row.chunk_size,
  }));

export type ThinPoolReport = z.infer<typeof thinPool>;

const fields =
  'lv_size,lv_tags,lv_layout,lv_health_status,lv_check_needed,data_percent,metadata_percent,zero,chunk_size';

/** Returns what LVM reports of the logical volume, which may be no pool; undefined where there is none of the name. */
export async function thinPoolReport(lvm: Lvm, group: string, name: string): Promise<ThinPoolReport | undefined> {
  const args = ['lvs', '-o', fields, ...inBytes, `${group}/${name}`];
  const answer = await lvm.command(args);
  if (answer.status === 0) return read(args, answer, thinPool, answer.rows[0]);
  if (failureOf(answer) === 'absent') return undefined;
  throw lvmError(args, answer, group);
}

/** A pool without space for data is none: it can be extended. */
function damageOf(row: { lv_health_status: string; lv_check_needed: string }): string | undefined {
  if (row.lv_health_status === 'failed') return 'the kernel reports that it failed';
  if (row.lv_health_status === 'metadata_read_only') return 'its metadata is read-only after an error';
  if (row.lv_health_status === 'partial') return 'a disk of it is missing';
  if (row.lv_check_needed === 'check needed') return 'its metadata is to be checked';
  return undefined;
}
