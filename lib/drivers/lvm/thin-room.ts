import { type BlockstoreError, errors } from '../../errors.ts';
import type { ThinPoolName } from '../../lvm-thin-errors.ts';
import type { LogicalVolume } from './reports.ts';
import type { ThinPoolReport } from './thin-pool-report.ts';

/**
 * How full a pool is, in percent, from which on it is reported, and takes nothing more. A pool without space for metadata stops all
 * writes and has to be repaired; LVM itself refuses new volumes at 75 % of a small one.
 */
export const limits = {
  data: { reported: 80, refused: 90 },
  metadata: { reported: 60, refused: 75 },
} as const;

/** A pool, and what has been promised of it. */
export interface ThinUsage {
  name: ThinPoolName;
  report: Pick<ThinPoolReport, 'sizeBytes' | 'dataPercent' | 'metadataPercent'>;
  /** The sizes of all its volumes and snapshots, whoever made them. */
  promisedBytes: number;
  /** How many times its size may be promised; 1: it cannot overflow. */
  ratio: number;
}

/** Returns the sizes of the volumes of a pool, in whole chunks of it. `volumes`: all of the group. */
export function sizesIn(
  pool: string,
  { chunkBytes }: Pick<ThinPoolReport, 'chunkBytes'>,
  volumes: readonly Pick<LogicalVolume, 'isThin' | 'pool' | 'sizeBytes'>[],
): number {
  const ofPool = volumes.filter((one) => one.isThin && one.pool === pool);
  return ofPool.reduce((sum, { sizeBytes }) => sum + Math.ceil(sizeBytes / chunkBytes) * chunkBytes, 0);
}

/** Returns the bytes that volumes of the pool may have in all. */
export function promisableBytes({ report, ratio }: Pick<ThinUsage, 'report' | 'ratio'>): number {
  return Math.floor(report.sizeBytes * ratio);
}

/** Returns why the pool takes no more bytes of volumes or snapshots; undefined when it does. */
export function refusal(usage: ThinUsage, neededBytes: number): BlockstoreError | undefined {
  const { name, report, promisedBytes, ratio } = usage;
  const metadata = report.metadataPercent ?? 0;
  if (metadata >= limits.metadata.refused) return errors.thinPoolMetadata(name, metadata);
  const freeBytes = Math.max(0, promisableBytes(usage) - promisedBytes);
  if (neededBytes > freeBytes) return errors.thinPoolPromised(name, { neededBytes, freeBytes, ratio });
  const data = report.dataPercent ?? 0;
  // With no more promised than it has, a full pool cannot overflow.
  const canOverflow = promisedBytes + neededBytes > report.sizeBytes;
  return canOverflow && data >= limits.data.refused ? errors.thinPoolData(name, data) : undefined;
}

/** Returns what is to be done before the pool refuses anything; undefined while there is time. */
export function warning({ name, report, promisedBytes }: ThinUsage): BlockstoreError | undefined {
  const metadata = report.metadataPercent ?? 0;
  if (metadata >= limits.metadata.reported) return errors.thinPoolMetadata(name, metadata);
  const data = report.dataPercent ?? 0;
  const canOverflow = promisedBytes > report.sizeBytes;
  return canOverflow && data >= limits.data.reported ? errors.thinPoolData(name, data) : undefined;
}
