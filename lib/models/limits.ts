import { type Hash, hashSchema } from './hash.ts';

/** How much of a volume its hosts can use, reads and writes each; undefined = no limit. */
export interface Limits {
  /** Reads in a second, and writes. */
  iops: number | undefined;
  /** Bytes that are read in a second, and that are written. */
  bytesPerSecond: number | undefined;
  /** What the attaching host is to enforce besides, by the keys of a QoS spec. */
  ofHost?: Readonly<Record<string, string>>;
}

export const noLimits: Limits = { iops: undefined, bytesPerSecond: undefined };

/** Limits in the fields of a record; what is no number limits nothing. */
export function limitsIn(hash: Hash): Limits {
  const ofHost = hostLimits(hash['limitHost']);
  return {
    iops: number(hash['limitIops']),
    bytesPerSecond: number(hash['limitBytes']),
    ...(ofHost ? { ofHost } : {}),
  };
}

/** Returns the fields of a record with these limits; '' = absent. */
export function limitsSet({ iops, bytesPerSecond, ofHost }: Limits): Record<string, string> {
  return {
    limitIops: String(iops ?? ''),
    limitBytes: String(bytesPerSecond ?? ''),
    limitHost: ofHost === undefined ? '' : JSON.stringify(ofHost),
  };
}

export function areLimited({ iops, bytesPerSecond, ofHost }: Limits): boolean {
  return iops !== undefined || bytesPerSecond !== undefined || ofHost !== undefined;
}

/** Whether the storage is to enforce the same. */
export function areSameLimits(one: Limits, other: Limits = noLimits): boolean {
  return one.iops === other.iops && one.bytesPerSecond === other.bytesPerSecond;
}

/** Returns what the storage is to enforce. */
export function limitsOfStorage({ iops, bytesPerSecond }: Limits): Limits {
  return { iops, bytesPerSecond };
}

function hostLimits(text = ''): Limits['ofHost'] {
  try {
    return text === '' ? undefined : hashSchema.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}

function number(text: string | undefined): number | undefined {
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
