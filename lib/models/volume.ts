import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { maxSize } from '../volume-size.ts';
import { type RecordReader, Records } from './records.ts';
import { type VolumeState, parseVolume } from './volume-state.ts';

/** A new volume. */
export interface NewVolume {
  /** Given by a requester that may ask twice. */
  id: string;
  name?: string;
  size: number;
  userId: string;
  projectId: string;
  deleteOnTermination?: boolean;
  /** The id of its type. */
  type?: string;
  /** The id of the group that it becomes one of. */
  group?: string;
  zone?: string;
  /** Volumes, by their ids, on whose nodes it is not to be. */
  apartFrom?: readonly string[];
  description?: string;
  metadata?: Readonly<Record<string, string>>;
  isBootable?: boolean;
  isReadOnly?: boolean;
  /** Its hosts encrypt it; `encryptionKey`: with the key of that id, which its first data have. Default: one of its own. */
  isEncrypted?: boolean;
  encryptionKey?: string;
  /** Several hosts can have it at once. */
  isMultiattach?: boolean;
  /** What its first data are of: a snapshot, another volume, an image or a backup, by its id. */
  fromSnapshot?: string;
  fromVolume?: string;
  fromImage?: string;
  fromBackup?: string;
}

const reader: RecordReader<VolumeState> = {
  recordKey: (store, id) => store.keys.volume(id),
  parse: parseVolume,
  notFound: errors.volumeNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`volume ${id}`, reason),
};

/** The records of volumes. */
export function volumesOf(store: Store): Records<VolumeState> {
  return new Records(store, reader);
}

/** The same of volumes that were deleted while their node was lost. */
export function abandonedVolumesOf(store: Store): Records<VolumeState> {
  return new Records(store, { ...reader, recordKey: (from, id) => from.keys.abandoned(id) });
}

/** Returns the node that is still to remove the storage of a deleted volume; '' where no node is. */
export async function nodeOfAbandoned(store: Store, id: string): Promise<string> {
  return (await store.read((redis) => redis.hget(store.keys.abandoned(id), 'node'))) ?? '';
}

/** Throws InvalidSize unless it is a whole number of GiB from 0 to 1000, as the 2010 BlockStore has it. */
export function checkSize(size: unknown): asserts size is number {
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > maxSize) throw errors.invalidSize(size);
}
