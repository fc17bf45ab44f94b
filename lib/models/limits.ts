import type { Hash } from './hash.ts';

/** How much of a volume its hosts can use, reads and writes each; undefined = no limit. */
export interface Limits {
  /** Reads in a second, and writes. */
  iops: number | undefined;
  /** Bytes that are read in a second, and that are written. */
  bytesPerSecond: number | undefined;
}

export const noLimits: Limits = { iops: undefined, bytesPerSecond: undefined };

/** Limits in the fields of a record; what is no number limits nothing. */
export function limitsIn(hash: Hash): Limits {
  return { iops: number(hash['limitIops']), bytesPerSecond: number(hash['limitBytes']) };
}

/** Returns the fields of a record with these limits; '' = absent. */
export function limitsSet({ iops, bytesPerSecond }: Limits): { limitIops: string; limitBytes: string } {
  return { limitIops: String(iops ?? ''), limitBytes: String(bytesPerSecond ?? '') };
}

export function areLimited({ iops, bytesPerSecond }: Limits): boolean {
  return iops !== undefined || bytesPerSecond !== undefined;
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
