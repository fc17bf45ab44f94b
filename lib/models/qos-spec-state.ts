import { errors } from '../errors.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';
import type { Limits } from './limits.ts';
import { metadataIn } from './metadata.ts';

export const qosConsumers = ['front-end', 'back-end', 'both'] as const;
export type QosConsumer = (typeof qosConsumers)[number];

/** What hosts can use of volumes, for the types that name it. */
export interface QosSpecState {
  id: string;
  name: string;
  /** Who enforces it: the hypervisor that attaches, the storage, or both. */
  consumer: QosConsumer;
  specs: Readonly<Record<string, string>>;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseQosSpec(id: string, hash: Hash): QosSpecState {
  const { name = '', createTime = '' } = hash;
  const consumer = qosConsumers.find((known) => known === hash['consumer']);
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  if (name === '' || !/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its name or creation time');
  if (!consumer) throw new UnreadableError(`has the consumer ${JSON.stringify(hash['consumer'])}`);
  const specs = metadataIn(hash);
  const reason = whyNotEnforced({ consumer, specs });
  if (reason !== undefined) throw new UnreadableError(`has limits that storage cannot enforce: ${reason}`);
  return { id, name, consumer, specs, createTime: Number(createTime) };
}

/** Reads and writes are limited alike: each limit has two keys. */
const pairs = {
  iops: ['read_iops_sec', 'write_iops_sec'],
  bytesPerSecond: ['read_bytes_sec', 'write_bytes_sec'],
} as const;
export const enforcedKeys: readonly string[] = Object.values(pairs).flat();

/** Returns the limits of a type that has such a spec; `own`: those of the type itself. */
export function limitsOfSpec({ consumer, specs }: Pick<QosSpecState, 'consumer' | 'specs'>, own: Limits): Limits {
  if (consumer === 'front-end') return { ...own, ofHost: specs };
  return { iops: limitIn(specs, 'iops'), bytesPerSecond: limitIn(specs, 'bytesPerSecond') };
}

/** The storage can enforce it, where it is to. Throws QosNotEnforced. */
export function checkEnforced(spec: Pick<QosSpecState, 'consumer' | 'specs'>): void {
  const reason = whyNotEnforced(spec);
  if (reason !== undefined) throw errors.qosNotEnforced(reason);
}

function whyNotEnforced({ consumer, specs }: Pick<QosSpecState, 'consumer' | 'specs'>): string | undefined {
  if (consumer === 'front-end') return undefined;
  const other = Object.keys(specs).find((key) => !enforcedKeys.includes(key));
  if (other !== undefined) return `the key ${other}`;
  for (const [read, write] of Object.values(pairs)) {
    const [ofReads, ofWrites] = [specs[read], specs[write]];
    if (ofReads === undefined && ofWrites === undefined) continue;
    if (ofReads !== ofWrites) return `${read} and ${write} differ`;
    if (!/^[1-9]\d{0,14}$/.test(ofReads ?? '')) return `${read} is no whole number above 0 of at most 15 digits`;
  }
  return undefined;
}

function limitIn(specs: Readonly<Record<string, string>>, limit: keyof typeof pairs): number | undefined {
  const text = specs[pairs[limit][0]];
  return text !== undefined && /^[1-9]\d{0,14}$/.test(text) ? Number(text) : undefined;
}
