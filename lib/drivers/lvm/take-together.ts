import { z } from 'zod';
import { errors } from '../../errors.ts';
import { deviceName } from './device-name.ts';
import type { LogicalVolumes } from './logical-volumes.ts';
import type { Parts } from './parts.ts';
import { type Pauses, deviceMapper } from './pause.ts';
import { type OneLogicalVolume, ask, read } from './reports.ts';
import { snapshotRoom } from './snapshot-room.ts';
import { type NewSnapshot, takeThickSnapshot, takeThinSnapshot } from './take-snapshot.ts';

const messageTimeoutMs = 10_000;

/** A snapshot that is to be made, and the LV that it is of. */
export interface Member extends NewSnapshot {
  origin: OneLogicalVolume;
}

/**
 * Makes snapshots of several LVs of one moment, at which all of them are suspended: each is resumed only when its snapshot is made. Throws
 * NoSpace, ThinPoolUnusable before any of them is suspended; PauseTooLong.
 */
export async function takeTogether(
  parts: Parts,
  volumes: LogicalVolumes,
  pauses: Pauses,
  members: readonly Member[],
): Promise<void> {
  const [thin, thick] = [members.filter(({ origin }) => origin.isThin), members.filter(({ origin }) => !origin.isThin)];
  for (const { origin, volumeId } of members) await volumes.activeDevice(volumeId, origin.name, origin);
  await requireRoom(parts, volumes, thick);
  // LVM does not send its message to the pool where the origin is suspended already. Therefore each is made before, and replaced then.
  for (const { origin, ...rest } of thin) {
    await takeThinSnapshot(parts, volumes, origin, { ...rest, activation: ['-an', '-ky'] });
  }
  const ids = await thinIds(parts, volumes, thin);
  const devices = members.map(({ origin }) => deviceName(volumes.fullName(origin.name))).toSorted();
  await pauses.during(devices, async (check) => {
    for (const { origin, name } of thin) {
      await replaceThin(parts, origin, { own: ids.get(name), origin: ids.get(origin.name) });
      check();
    }
    for (const { origin, ...rest } of thick) {
      await takeThickSnapshot(parts, volumes, origin, { ...rest, urgent: true });
      check();
    }
  });
}

/** For all thick ones together. Throws NoSpace. */
async function requireRoom(
  { openGroup, options }: Parts,
  volumes: LogicalVolumes,
  thick: readonly Member[],
): Promise<void> {
  if (thick.length === 0) return;
  const { freeBytes, extentBytes } = await openGroup.content();
  const rooms = thick.map(({ origin }) => snapshotRoom(origin.sizeBytes, options.snapshotPercent));
  const needed = rooms.reduce((sum, room) => sum + Math.ceil(room / extentBytes) * extentBytes, 0);
  if (needed > freeBytes) throw volumes.lacking(needed, freeBytes);
}

const thinRow = z.object({ lv_name: z.string(), thin_id: z.string().regex(/^\d+$/) });

/** Returns by which number the pool knows each of these thin LVs, snapshots and origins, by their names. */
async function thinIds(
  { openGroup }: Parts,
  volumes: LogicalVolumes,
  thin: readonly Member[],
): Promise<Map<string, string>> {
  if (thin.length === 0) return new Map();
  const names = new Set(thin.flatMap(({ name, origin }) => [name, origin.name]));
  const args = ['lvs', '-o', 'lv_name,thin_id', ...[...names].map((name) => volumes.fullName(name))];
  const answer = await ask(openGroup.shell, args);
  const rows = read(args, answer, z.array(thinRow), answer.rows);
  return new Map(rows.map((row) => [row.lv_name, row.thin_id]));
}

/** Has the pool take the snapshot anew, under the number that LVM knows it by: nothing that LVM has recorded changes. */
async function replaceThin(
  { processes, options }: Parts,
  { name, pool }: OneLogicalVolume,
  { own, origin }: { own: string | undefined; origin: string | undefined },
): Promise<void> {
  if (own === undefined || origin === undefined) throw errors.lvmInterrupted('lvs', `it reported no number of ${name}`);
  const device = `${deviceName(`${options.volumeGroup}/${pool}`)}-tpool`;
  for (const message of [`delete ${own}`, `create_snap ${own} ${origin}`]) {
    await deviceMapper(processes, ['message', device, '0', message], messageTimeoutMs);
  }
}
