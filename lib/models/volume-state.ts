import { z } from 'zod';
import { BlockstoreError, type Fault } from '../errors.ts';
import type { Hash } from './basic-model.ts';

export const volumeStatuses = [
  'creating',
  'available',
  'in-use',
  'error',
  'deleting',
  'error_deleting',
  'error_attaching',
  'error_detaching',
] as const;
export type VolumeStatus = (typeof volumeStatuses)[number];

export const attachStatuses = ['detached', 'attaching', 'attached', 'detaching'] as const;
export type AttachStatus = (typeof attachStatuses)[number];

const faultSchema = z.object({
  code: z.string(),
  kind: z.enum(['invalid', 'notFound', 'conflict', 'exhausted', 'unavailable', 'denied', 'failed']),
  message: z.string(),
  hint: z.string().optional(),
  step: z.string().optional(),
  time: z.number().optional(),
});

/** Text that came from Redis or from another node. Throws on what no version of this project writes. */
export function parseFault(text: string): Fault {
  const { hint, step, time, ...rest } = faultSchema.parse(JSON.parse(text));
  return {
    ...rest,
    ...(hint === undefined ? {} : { hint }),
    ...(step === undefined ? {} : { step }),
    ...(time === undefined ? {} : { time }),
  };
}

/** A volume's record. Times are milliseconds since the epoch, sizes whole GiB (0: 100 MiB); '' means "not set". */
export interface VolumeState {
  id: string;
  name: string;
  size: number;
  userId: string;
  projectId: string;
  availabilityZone: string;
  /** The node that owns it; '' until one has taken it. */
  node: string;
  /** Which backend of that node. */
  backend: string;
  status: VolumeStatus;
  attachStatus: AttachStatus;
  instanceId: string;
  /** The host that the instance runs on. */
  hostName: string;
  /** The machine id of the attaching host, where that host connected the volume itself. */
  hostId: string;
  /** The libvirt domain, by its UUID, that has the volume as a disk. */
  domain: string;
  mountpoint: string;
  attachMode: 'rw' | 'ro';
  /** Ethernet addresses that may use the export while attached; none: all. */
  attachMacs: readonly string[];
  attachTime: number | undefined;
  deleteOnTermination: boolean;
  shelfId: number | undefined;
  bladeId: number | undefined;
  /** e<shelf>.<blade>, on the attaching host /dev/etherd/e<shelf>.<blade>. */
  aoeDevice: string;
  createTime: number;
  /** Percent of a long step, such as wiping. */
  progress: number | undefined;
  fault: Fault | undefined;
}

export function isVolumeStatus(value: string): value is VolumeStatus {
  return volumeStatuses.some((status) => status === value);
}

function isAttachStatus(value: string): value is AttachStatus {
  return attachStatuses.some((status) => status === value);
}

const number = (text: string | undefined) => (text === undefined ? undefined : Number(text));

/** Throws Internal on a record that no version of this project writes. */
export function parseVolume(id: string, hash: Hash): VolumeState {
  const { status = '', attachStatus = '' } = hash;
  if (!isVolumeStatus(status) || !isAttachStatus(attachStatus)) {
    throw new BlockstoreError(
      'Internal',
      'failed',
      `the record of volume ${id} has status "${status}", "${attachStatus}"`,
    );
  }
  const shelfId = number(hash['shelfId']);
  const bladeId = number(hash['bladeId']);
  return {
    id,
    name: hash['name'] ?? '',
    size: Number(hash['size']),
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    availabilityZone: hash['availabilityZone'] ?? '',
    node: hash['node'] ?? '',
    backend: hash['backend'] ?? '',
    status,
    attachStatus,
    instanceId: hash['instanceId'] ?? '',
    hostName: hash['hostName'] ?? '',
    hostId: hash['hostId'] ?? '',
    domain: hash['domain'] ?? '',
    mountpoint: hash['mountpoint'] ?? '',
    attachMode: hash['attachMode'] === 'ro' ? 'ro' : 'rw',
    attachMacs: hash['attachMacs'] === undefined ? [] : hash['attachMacs'].split(','),
    attachTime: number(hash['attachTime']),
    deleteOnTermination: hash['deleteOnTermination'] === 'true',
    shelfId,
    bladeId,
    aoeDevice: shelfId === undefined ? '' : `e${shelfId}.${bladeId}`,
    createTime: Number(hash['createTime']),
    progress: number(hash['progress']),
    fault: hash['fault'] === undefined ? undefined : parseFault(hash['fault']),
  };
}

/** Whether its node still has something to do to it. */
export function isTransitional(volume: VolumeState): boolean {
  return (
    volume.status === 'creating' ||
    volume.status === 'deleting' ||
    volume.attachStatus === 'attaching' ||
    volume.attachStatus === 'detaching'
  );
}
