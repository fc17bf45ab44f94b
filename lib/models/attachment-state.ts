import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';

export const attachmentStatuses = ['reserved', 'attaching', 'connecting', 'attached', 'detaching'] as const;
/**
 * `reserved`: the volume is kept for it, and no host has it; `connecting`: one that was reserved may use the export, and has not said yet
 * that it does.
 */
export type AttachmentStatus = (typeof attachmentStatuses)[number];

/** The record of an attachment. Times are milliseconds since the epoch; '' means "not set". */
export interface AttachmentState {
  id: string;
  volume: string;
  /** Of the volume. */
  projectId: string;
  status: AttachmentStatus;
  instanceId: string;
  /** Redis had lost it, and the running export of its volume showed it: who the instance is, is not known. */
  isRestored: boolean;
  /** Its host releases the volume, and it is to be reserved again then: the detach that is under way does not end it. */
  isKept: boolean;
  /** The host that the instance runs on. */
  hostName: string;
  /** The machine id of that host. */
  hostId: string;
  /** The libvirt domain, by its UUID, that has the volume as a disk. */
  domain: string;
  /** The libvirt connection through which it was given to the domain. */
  libvirtUri: string;
  mountpoint: string;
  mode: 'rw' | 'ro';
  /** Ethernet addresses (AoE), initiator names (iSCSI) or NQNs (NVMe) that may use the export; none: all. */
  hosts: readonly string[];
  createTime: number;
  /** When it was reserved; undefined where it never was. */
  reserveTime: number | undefined;
  attachTime: number | undefined;
  /** When the host of one that was reserved has said that it uses the volume. */
  completeTime: number | undefined;
  /** Of an attach that failed, and left the attachment to be detached. */
  fault: Fault | undefined;
}

const text = z.string().default('');
const time = z
  .string()
  .regex(/^\d{1,16}$/)
  .transform(Number);
const schema = z.object({
  volume: z.string().refine(isId),
  projectId: text,
  status: z.enum(attachmentStatuses),
  instanceId: text,
  restored: text,
  kept: text,
  hostName: text,
  hostId: text,
  domain: text,
  libvirtUri: text,
  mountpoint: text,
  // Taken for rw, a host that may only read would be recorded with the right to write.
  mode: z.enum(['rw', 'ro']).default('rw'),
  hosts: text,
  createTime: time,
  reserveTime: time.optional(),
  attachTime: time.optional(),
  completeTime: time.optional(),
  fault: z.string().optional(),
});

/** Throws UnreadableError for a record that this version cannot read. */
export function parseAttachment(id: string, hash: Hash): AttachmentState {
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  const { data, error } = schema.safeParse(hash);
  if (!data) throw new UnreadableError(`has no usable ${error.issues.map(({ path }) => path.join('.')).join(', ')}`);
  const { restored, kept, hosts, reserveTime, attachTime, completeTime, fault, ...rest } = data;
  return {
    ...rest,
    id,
    isRestored: restored === 'true',
    isKept: kept === 'true',
    hosts: hosts === '' ? [] : hosts.split(','),
    reserveTime,
    attachTime,
    completeTime,
    fault: fault === undefined ? undefined : parseFault(fault),
  };
}

/** Whether a host may use the volume by it. */
export function isActive({ status }: AttachmentState): boolean {
  return status !== 'reserved';
}

/** Whether a host had the volume by one that is reserved, and has released it. */
export function isReleased({ status, attachTime }: AttachmentState): boolean {
  return status === 'reserved' && attachTime !== undefined;
}
