import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type RecordReader, Records } from './records.ts';
import { checkText } from './check-text.ts';
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
  zone?: string;
  /** Volumes, by their ids, on whose nodes it is not to be. */
  apartFrom?: readonly string[];
  description?: string;
  metadata?: Readonly<Record<string, string>>;
  isBootable?: boolean;
  isReadOnly?: boolean;
  /** What its first data are of: a snapshot, another volume, an image or a backup, by its id. */
  fromSnapshot?: string;
  fromVolume?: string;
  fromImage?: string;
  fromBackup?: string;
}

/** What a volume is attached to. */
export interface Attachment {
  instanceId: string;
  mountpoint: string;
  hostName?: string;
  /** The machine id of the attaching host. */
  hostId?: string;
  /** The UUID of the libvirt domain. */
  domain?: string;
  /** The libvirt connection of the domain. */
  libvirtUri?: string;
  mode?: 'rw' | 'ro';
  /** Ethernet addresses (AoE) or the initiator name (iSCSI) of the attaching host; none: all hosts. */
  hosts?: readonly string[];
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
  if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 1000) throw errors.invalidSize(size);
}

/** Throws InvalidArgument. */
export function checkAttachment({ instanceId, mountpoint, hostName, libvirtUri }: Attachment): void {
  checkText('instanceId', instanceId);
  if (hostName !== undefined) checkText('hostName', hostName);
  if (libvirtUri !== undefined) checkText('libvirtUri', libvirtUri);
  if (!/^\/dev\/[A-Za-z0-9][A-Za-z0-9_/.:-]*$/.test(mountpoint) || mountpoint.includes('..')) {
    throw errors.invalidArgument('mount point', mountpoint, 'a device path such as /dev/vdb');
  }
}

/** The fields of a record that an attachment sets. */
export function attachmentSet(attachment: Attachment): Record<string, string> {
  const { instanceId, mountpoint, hostName = '', hostId = '', domain = '', libvirtUri = '' } = attachment;
  const { mode = 'rw', hosts = [] } = attachment;
  const given = { instanceId, mountpoint, hostName, hostId, domain, libvirtUri };
  return {
    ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== '')),
    ...(mode === 'ro' ? { attachMode: mode } : {}),
    ...(hosts.length === 0 ? {} : { attachHosts: hosts.join(',') }),
  };
}
