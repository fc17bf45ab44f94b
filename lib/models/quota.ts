import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { type RecordReader, Records } from './records.ts';

/** The project whose quota holds for those without a limit of their own. */
export const everyProject = '*';

export const quotaResources = ['volumes', 'bytes', 'snapshots'] as const;
export type QuotaResource = (typeof quotaResources)[number];
/** Undefined: that of every project, which is none where that has none. */
export type Limit = number | 'unlimited' | undefined;

/** What a project may have, by its name. */
export interface QuotaState {
  id: string;
  limits: Record<QuotaResource, Limit>;
  /** Bytes of its volumes and snapshots. */
  usedBytes: number;
  /** When it got limits, in milliseconds since the epoch; 0 where it has none. */
  createTime: number;
}

/** The fields of the limits in a record. */
export const limitFields: Readonly<Record<QuotaResource, string>> = {
  volumes: 'maxVolumes',
  bytes: 'maxBytes',
  snapshots: 'maxSnapshots',
};

/** Throws UnreadableError for a record that this version cannot read. */
export function parseQuota(id: string, hash: Hash): QuotaState {
  const limit = (resource: QuotaResource): Limit => {
    const text = hash[limitFields[resource]];
    if (text === undefined || text === 'unlimited') return text;
    if (!/^\d{1,16}$/.test(text)) throw new UnreadableError(`has the limit ${JSON.stringify(text)} of ${resource}`);
    return Number(text);
  };
  const { usedBytes = '0', createTime = '0' } = hash;
  if (!/^-?\d{1,18}$/.test(usedBytes)) throw new UnreadableError(`counts ${JSON.stringify(usedBytes)} as used bytes`);
  if (!/^\d{1,16}$/.test(createTime)) throw new UnreadableError('has a creation time that is no number');
  return {
    id,
    limits: { volumes: limit('volumes'), bytes: limit('bytes'), snapshots: limit('snapshots') },
    usedBytes: Number(usedBytes),
    createTime: Number(createTime),
  };
}

const reader: RecordReader<QuotaState> = {
  recordKey: (store, id) => store.keys.quota(id),
  parse: parseQuota,
  notFound: errors.quotaNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`quota ${id}`, reason),
};

/** The quotas of projects. */
export function quotasOf(store: Store): Records<QuotaState> {
  return new Records(store, reader);
}
