import { z } from 'zod';
import { errors } from '../../errors.ts';
import { failureOf, lvmError } from './failures.ts';
import type { Lvm, LvmAnswer, LvmCommandOptions } from './lvm.ts';

const bytes = z.coerce.number().int();
const inBytes = ['--units', 'b', '--nosuffix'];

const logicalVolume = z
  .object({
    lv_name: z.string(),
    lv_size: bytes,
    lv_tags: z.string(),
  })
  .transform((row) => ({
    name: row.lv_name,
    sizeBytes: row.lv_size,
    tags: row.lv_tags.split(',').filter((tag) => tag !== ''),
  }));

const logicalVolumeState = z
  .object({ lv_active: z.string(), lv_device_open: z.string() })
  .transform((row) => ({ active: row.lv_active === 'active', open: row.lv_device_open === 'open' }));

const volumeGroup = z
  .object({ vg_size: bytes, vg_free: bytes, vg_mda_free: bytes })
  .transform((row) => ({ sizeBytes: row.vg_size, freeBytes: row.vg_free, metadataFreeBytes: row.vg_mda_free }));

const physicalVolume = z
  .object({ pv_name: z.string(), vg_name: z.string(), vg_uuid: z.string(), pv_missing: z.string() })
  .transform((row) => ({
    device: row.pv_name,
    group: row.vg_name,
    groupUuid: row.vg_uuid,
    missing: row.pv_missing !== '',
  }));

export type LogicalVolume = z.infer<typeof logicalVolume>;
export type PhysicalVolume = z.infer<typeof physicalVolume>;

export async function logicalVolumes(lvm: Lvm, group: string): Promise<LogicalVolume[]> {
  const args = ['lvs', '-o', 'lv_name,lv_size,lv_tags', ...inBytes, group];
  const answer = await ask(lvm, args);
  return read(args, answer, z.array(logicalVolume), answer.rows);
}

/** Returns the group's figures and volumes from a single read of its metadata. */
export async function groupContent(
  lvm: Lvm,
  group: string,
): Promise<{ sizeBytes: number; freeBytes: number; volumes: LogicalVolume[] }> {
  const args = ['lvs', '-o', 'lv_name,lv_size,lv_tags,vg_size,vg_free,vg_mda_free', ...inBytes, group];
  const answer = await ask(lvm, args);
  const volumes = read(args, answer, z.array(logicalVolume), answer.rows);
  if (volumes.length === 0) return { ...(await groupSpace(lvm, group)), volumes };
  return { ...read(args, answer, volumeGroup, answer.rows[0]), volumes };
}

/** Returns one LV with its kernel state; undefined when it does not exist. */
export async function oneLogicalVolume(lvm: Lvm, group: string, name: string, options?: LvmCommandOptions) {
  const fields = 'lv_name,lv_size,lv_tags,lv_active,lv_device_open';
  const args = ['lvs', '-o', fields, ...inBytes, `${group}/${name}`];
  const answer = await lvm.command(args, options);
  if (answer.status === 0) return read(args, answer, logicalVolume.and(logicalVolumeState), answer.rows[0]);
  if (failureOf(answer) === 'absent') return undefined;
  throw lvmError(args, answer, group);
}

export async function groupSpace(lvm: Lvm, group: string): Promise<z.infer<typeof volumeGroup>> {
  const args = ['vgs', '-o', 'vg_size,vg_free,vg_mda_free', ...inBytes, group];
  const answer = await ask(lvm, args);
  return read(args, answer, volumeGroup, answer.rows[0]);
}

export async function physicalVolumes(lvm: Lvm): Promise<PhysicalVolume[]> {
  const args = ['pvs', '-o', 'pv_name,vg_name,vg_uuid,pv_missing'];
  const answer = await ask(lvm, args);
  return read(args, answer, z.array(physicalVolume), answer.rows);
}

/** Refuses an incomplete report: an omitted volume must not count as absent. Throws LvmInterrupted. */
function read<T>(args: readonly string[], answer: LvmAnswer, shape: z.ZodType<T>, found: unknown): T {
  if (!answer.reported)
    throw errors.lvmInterrupted(args.join(' '), 'it reported nothing, not even that there is nothing');
  const parsed = shape.safeParse(found);
  if (parsed.success) return parsed.data;
  throw errors.lvmInterrupted(args.join(' '), `its report cannot be read: ${z.prettifyError(parsed.error)}`);
}

async function ask(lvm: Lvm, args: string[]): Promise<LvmAnswer> {
  const answer = await lvm.command(args);
  if (answer.status !== 0) throw lvmError(args, answer, args.at(-1) ?? '');
  return answer;
}
