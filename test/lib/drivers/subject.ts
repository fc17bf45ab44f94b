import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import type { FoundVolume, Labels, VolumeDriver, VolumeSpec } from '../../../lib/drivers/driver.ts';
import type { FoundSnapshot, Snapshots, SnapshotSpec } from '../../../lib/drivers/snapshots.ts';
import type { CrashPoint } from './crash-point.ts';
import { asError } from '../../../lib/errors.ts';
import { sizeInBytes } from '../../../lib/volume-size.ts';

/** A driver that is set up and empty, with space for `sizeGiB` and a little, and not for twice as much. */
export interface Subject extends Abilities {
  driver: VolumeDriver;
  sizeGiB: number;
  /** How many volumes, and snapshots, are made at once: 200 of 4 MiB, or by default some of the smallest size. */
  many?: 200;
  /** Writes to what localPath() returns, durably, and closes it. Without `write` and `read` the cases check no data. */
  write?: (path: string, offset: number, bytes: Uint8Array) => Promise<void>;
  read?: (path: string, offset: number, length: number) => Promise<Uint8Array>;
}

/** What can be done with the storage of some drivers. Cases that use it are for these. */
interface Abilities {
  /** Another driver on the same storage, as the next daemon has it, which is not set up. Its commands pass through `crash`. */
  again?: (crash?: CrashPoint) => VolumeDriver;
  /** What the storage has under names of its own, parts included: an entry for each, which contains its name. */
  names?: () => Promise<string[]>;
  /** Has the volume open, as its user has. Returns what closes it. */
  hold?: (volume: VolumeSpec) => Promise<() => Promise<void>>;
  /** Takes away what is configured. Returns the code of the error of setup(), what its message names, and what brings it back. */
  breakSetup?: () => Promise<{ code: string; name: string; repair: () => Promise<void> }>;
  /** Bytes of the storage that the data of all volumes take. */
  takenBytes?: () => Promise<number>;
  /** Discards a range of what localPath() returns. */
  discard?: (path: string, offset: number, length: number) => Promise<void>;
}

export interface Case {
  title: string;
  /** The capabilities without which a driver has no such case. */
  needs?: readonly ('snapshots' | 'groupSnapshots' | 'clones' | 'extend' | 'thin' | 'discard')[];
  /** What the subject must be able to do. */
  uses?: readonly (keyof Abilities)[];
  /** Runs hundreds of commands. */
  isLong?: true;
  /** Makes as many at once as the subject says. */
  isAboutMany?: true;
  run: (subject: Subject) => Promise<void>;
}

export function spec(fields: Partial<VolumeSpec> = {}): VolumeSpec {
  const size = fields.size ?? 0;
  const labels = { user: 'user', project: 'project', size: String(size) };
  return { id: randomUUID(), size, sizeBytes: sizeInBytes(size), labels, ...fields };
}

/** The same volume, with another size. */
export function resized(volume: VolumeSpec, size: number): VolumeSpec {
  return { ...volume, size, sizeBytes: sizeInBytes(size) };
}

export function snapshotOf(volume: VolumeSpec, labels: Labels = { user: 'user', project: 'project' }): SnapshotSpec {
  return { id: randomUUID(), volume, labels };
}

/** Every kind of character that users give in labels, and the longest name of a label. */
export const oddLabels: Labels = {
  user: 'ällice, & co',
  project: 'a/b!c',
  address: 'e12.3',
  anything: '',
  name: ' "x"\\\n#',
  ascii: String.fromCharCode(...Array.from({ length: 95 }, (_, index) => 32 + index)),
  ['x'.repeat(30)]: '\t漢字 👍 =;:@',
};

export const invalidLabelNames = ['id', 'two words', 'Upper', 'a=b', '', 'x'.repeat(31)];

/** The longest name in bytes that records have, and one with as many characters, in a script of three bytes a character. */
export const longNames = [85, 255].map((length) => '漢'.repeat(length));

/** The volume is there with its labels, or the work throws InvalidArgument and there is no such volume. */
export async function assertKeptOrRefused(
  driver: VolumeDriver,
  volume: VolumeSpec,
  work: () => Promise<unknown>,
): Promise<void> {
  const refusal = await work().then(
    () => undefined,
    (error: unknown) => asError(error),
  );
  if (refusal !== undefined) assert.equal(refusal.code, 'InvalidArgument', refusal.message);
  assert.equal(await driver.hasVolume(volume), refusal === undefined);
  assert.deepEqual(await listed(driver, volume.id), refusal === undefined ? foundAs(volume) : undefined);
}

/** The volume as listVolumes must return it. */
export function foundAs({ id, sizeBytes, labels }: VolumeSpec): FoundVolume {
  return { id, sizeBytes, labels };
}

/** The snapshot as listSnapshots must return it. */
export function foundAsSnapshot({ id, volume, labels }: SnapshotSpec): FoundSnapshot {
  return { id, volumeId: volume.id, sizeBytes: volume.sizeBytes, labels };
}

export async function listed(driver: VolumeDriver, id: string): Promise<FoundVolume | undefined> {
  return (await driver.listVolumes()).find((volume) => volume.id === id);
}

export function snapshotsOf({ snapshots }: VolumeDriver): Snapshots {
  assert.ok(snapshots, 'a driver with the capability has its methods');
  return snapshots;
}

export function byId<T extends { id: string }>(list: readonly T[]): T[] {
  return list.toSorted((one, other) => one.id.localeCompare(other.id));
}

/** The answer of an `accept` that allows nothing. */
export function refuse(found: Labels): never {
  throw new Error(`refused: ${JSON.stringify(found)}`);
}

/** Deletes them, and asserts that the storage has nothing else. */
export async function removeAll(
  driver: VolumeDriver,
  volumes: readonly VolumeSpec[] = [],
  snapshots: readonly SnapshotSpec[] = [],
): Promise<void> {
  for (const snapshot of snapshots) await driver.snapshots?.deleteSnapshot(snapshot);
  for (const volume of volumes) await driver.deleteVolume(volume);
  assert.deepEqual(await driver.listVolumes(), []);
  assert.deepEqual((await driver.snapshots?.listSnapshots()) ?? [], []);
}
