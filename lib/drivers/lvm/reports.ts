import { z } from 'zod';
import { errors } from '../../errors.ts';
import { failureOf, lvmError } from './failures.ts';
import type { Lvm, LvmAnswer, LvmCommandOptions } from './lvm.ts';

export const bytes = z.coerce.number().int();
export const words = z.string().transform((text) => text.split(',').filter((word) => word !== ''));
export const inBytes = ['--units', 'b', '--nosuffix'];

const logicalVolume = z
  .object({
    lv_name: z.string(),
    lv_size: bytes,
    lv_tags: words,
    lv_health_status: z.string(),
    lv_layout: words,
    pool_lv: z.string(),
  })
  .transform((row) => ({
    name: row.lv_name,
    sizeBytes: row.lv_size,
    tags: row.lv_tags,
    /** Whether a disk that has a part of it is missing. */
    isPartial: row.lv_health_status === 'partial',
    /** Such as linear; raid and raid1; thin and sparse; cache. */
    layout: row.lv_layout,
    /** Whether an image of a mirror failed, is back, and is not written until the volume is refreshed. */
    isStale: row.lv_health_status === 'refresh needed',
    /** Whether it is a thin volume, and not a thin pool. */
    isThin: row.lv_layout.includes('thin') && !row.lv_layout.includes('pool'),
    /** The thin pool of a thin volume; ''. */
    pool: row.pool_lv,
  }));

const logicalVolumeState = z
  .object({
    lv_active: z.string(),
    lv_device_open: z.string(),
    lv_descendants: words,
    lv_allocation_locked: z.string(),
    lv_role: words,
    lv_permissions: z.string(),
    lv_suspended: z.string(),
    lv_snapshot_invalid: z.string(),
    origin: z.string(),
    origin_size: z.string(),
    zero: z.string(),
    lv_attr: z.string(),
    vg_missing_pv_count: bytes,
  })
  .transform((row) => ({
    active: row.lv_active === 'active',
    open: row.lv_device_open === 'open',
    /** Snapshots, and thin volumes that have it as their origin. */
    dependants: row.lv_descendants,
    /** While pvmove moves it. */
    locked: row.lv_allocation_locked !== '',
    roles: row.lv_role,
    readOnly: row.lv_permissions.startsWith('read-only'),
    suspended: row.lv_suspended === 'suspended',
    missingDisks: row.vg_missing_pv_count,
    /** Whether its size is that of the area for copies, and its data is that of its origin otherwise. */
    isThickSnapshot: row.lv_role.includes('thicksnapshot'),
    /** Whether that area was too small for what was written to the origin. */
    isOverflowed: row.lv_snapshot_invalid === 'snapshot invalid',
    origin: row.origin,
    /** Of a thick snapshot: what its device has. */
    deviceBytes: row.lv_role.includes('thicksnapshot') ? Number(row.origin_size) : undefined,
    /** Of a thin volume: whether its pool zeroes what it gives to a volume. */
    isZeroed: row.zero === 'zero',
    /** Whether LVM will merge a snapshot into it, which may be hidden meanwhile. */
    isMerging: row.lv_attr.startsWith('O'),
  }));

const volumeGroup = z
  .object({
    vg_size: bytes,
    vg_free: bytes,
    vg_extent_size: bytes,
    vg_mda_free: bytes,
    vg_missing_pv_count: bytes,
    vg_tags: words,
  })
  .transform((row) => ({
    sizeBytes: row.vg_size,
    /** To which LVM rounds the size of a volume up. */
    extentBytes: row.vg_extent_size,
    freeBytes: row.vg_free,
    metadataFreeBytes: row.vg_mda_free,
    missingDisks: row.vg_missing_pv_count,
    tags: row.vg_tags,
  }));
type VolumeGroup = z.infer<typeof volumeGroup>;

const physicalVolume = z
  .object({
    pv_name: z.string(),
    pv_uuid: z.string(),
    pv_missing: z.string(),
    pv_duplicate: z.string(),
    vg_name: z.string(),
    vg_uuid: z.string(),
    vg_exported: z.string(),
    vg_systemid: z.string(),
    vg_lock_type: z.string(),
  })
  .transform((row) => ({
    device: row.pv_name,
    uuid: row.pv_uuid,
    /** It was not found, or it was written to without it and LVM marked it. */
    missing: row.pv_missing !== '',
    /** Another disk has its UUID, and LVM uses that one. */
    isCopy: row.pv_duplicate !== '',
    /** '' when it is in none, '[unknown]' when the metadata of its group cannot be read. */
    group: row.vg_name,
    groupUuid: row.vg_uuid,
    isExported: row.vg_exported !== '',
    /** Whether other hosts may use the group and not this one. */
    mayBeForeign: row.vg_systemid !== '' || !['', 'none'].includes(row.vg_lock_type),
    systemId: row.vg_systemid,
  }));

export type OneLogicalVolume = LogicalVolume & z.infer<typeof logicalVolumeState>;
export type LogicalVolume = z.infer<typeof logicalVolume>;
export type PhysicalVolume = z.infer<typeof physicalVolume>;

const lvFields = 'lv_name,lv_size,lv_tags,lv_health_status,lv_layout,pool_lv';
const stateFields =
  'lv_active,lv_device_open,lv_descendants,lv_allocation_locked,lv_role,lv_permissions,lv_suspended,' +
  'lv_snapshot_invalid,origin,origin_size,zero,lv_attr,vg_missing_pv_count';
const vgFields = 'vg_size,vg_free,vg_extent_size,vg_mda_free,vg_missing_pv_count,vg_tags';

/** Whether an active volume has all its data without one of its disks: LVM activates it only as long as it has. */
export function isRedundant({ layout }: Pick<LogicalVolume, 'layout'>): boolean {
  return layout.includes('raid') && !layout.some((word) => word.startsWith('raid0'));
}

/** Returns the group's figures and volumes, of one moment. */
export async function groupContent(lvm: Lvm, group: string): Promise<VolumeGroup & { volumes: LogicalVolume[] }> {
  const content = await contentOnce(lvm, group);
  // A volume that was created between the two reads of an empty group has taken space and is not in the list.
  const isWhole = content.volumes.length > 0 || content.freeBytes === content.sizeBytes;
  return isWhole ? content : contentOnce(lvm, group);
}

/** A single read of the metadata, unless the group is empty: the report of volumes has no row then. */
async function contentOnce(lvm: Lvm, group: string): Promise<VolumeGroup & { volumes: LogicalVolume[] }> {
  const args = ['lvs', '-o', `${lvFields},${vgFields}`, ...inBytes, group];
  const answer = await ask(lvm, args);
  const volumes = read(args, answer, z.array(logicalVolume), answer.rows);
  if (volumes.length === 0) return { ...(await groupSpace(lvm, group)), volumes };
  return { ...read(args, answer, volumeGroup, answer.rows[0]), volumes };
}

/** Returns one LV with its kernel state; undefined when it does not exist. */
export async function oneLogicalVolume(lvm: Lvm, group: string, name: string, options?: LvmCommandOptions) {
  const args = ['lvs', '-o', `${lvFields},${stateFields}`, ...inBytes, `${group}/${name}`];
  const answer = await lvm.command(args, options);
  if (answer.status === 0) return read(args, answer, logicalVolume.and(logicalVolumeState), answer.rows[0]);
  if (failureOf(answer) === 'absent') return undefined;
  throw lvmError(args, answer, group);
}

/** Returns all LVs with their kernel state, which takes longer than groupContent for many. */
export async function logicalVolumes(lvm: Lvm, group: string): Promise<OneLogicalVolume[]> {
  const args = ['lvs', '-o', `${lvFields},${stateFields}`, ...inBytes, group];
  const answer = await ask(lvm, args);
  return read(args, answer, z.array(logicalVolume.and(logicalVolumeState)), answer.rows);
}

export async function groupSpace(lvm: Lvm, group: string): Promise<VolumeGroup> {
  const args = ['vgs', '-o', vgFields, ...inBytes, group];
  const answer = await ask(lvm, args);
  return read(args, answer, volumeGroup, answer.rows[0]);
}

/** Returns disks of groups that this host may not use as well, and what LVM warned of meanwhile. */
export async function physicalVolumes(lvm: Lvm): Promise<{ disks: PhysicalVolume[]; warnings: string[] }> {
  const fields = 'pv_name,pv_uuid,pv_missing,pv_duplicate,vg_name,vg_uuid,vg_exported,vg_systemid,vg_lock_type';
  // With --all for the copies; other devices than disks of LVM have no UUID then.
  const args = ['pvs', '--all', '--foreign', '--shared', '-o', fields];
  const answer = await ask(lvm, args);
  const disks = read(args, answer, z.array(physicalVolume), answer.rows).filter(({ uuid }) => uuid !== '');
  return { disks, warnings: answer.messages };
}

/** Refuses an incomplete report: an omitted volume must not count as absent. Throws LvmInterrupted. */
export function read<T>(args: readonly string[], answer: LvmAnswer, shape: z.ZodType<T>, found: unknown): T {
  if (!answer.reported)
    throw errors.lvmInterrupted(args.join(' '), 'it reported nothing, not even that there is nothing');
  const parsed = shape.safeParse(found);
  if (parsed.success) return parsed.data;
  throw errors.lvmInterrupted(args.join(' '), `its report cannot be read: ${z.prettifyError(parsed.error)}`);
}

export async function ask(lvm: Lvm, args: string[]): Promise<LvmAnswer> {
  const answer = await lvm.command(args);
  if (answer.status !== 0) throw lvmError(args, answer, args.at(-1) ?? '');
  return answer;
}
