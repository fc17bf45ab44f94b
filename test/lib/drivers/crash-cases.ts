import assert from 'node:assert/strict';
import { isDeepStrictEqual } from 'node:util';
import { until } from '../../support/until.ts';
import type { VolumeDriver, VolumeSpec } from '../../../lib/drivers/driver.ts';
import type { SnapshotSpec } from '../../../lib/drivers/snapshots.ts';
import { type CrashKind, CrashPoint } from './crash-point.ts';
import { assertBlocks, fill } from './data.ts';
import {
  type Case,
  type Subject,
  byId,
  foundAs,
  foundAsSnapshot,
  listed,
  removeAll,
  snapshotOf,
  snapshotsOf,
  spec,
} from './subject.ts';

/** A volume with data, and what a call makes from it. */
interface Scene {
  volume: VolumeSpec;
  /** The first 100 MiB have the data. */
  filled: VolumeSpec;
  /** Of which volumes are made. */
  snapshot: SnapshotSpec;
  /** What the call makes, new for each point. */
  made: { snapshot: SnapshotSpec; copy: VolumeSpec; larger: VolumeSpec };
}

interface Call {
  title: string;
  needs: NonNullable<Case['needs']>;
  /** Beside the volume. */
  prepare?: (driver: VolumeDriver, scene: Scene) => Promise<void>;
  run: (driver: VolumeDriver, scene: Scene) => Promise<unknown>;
  /** What then exists, beside what was prepared. */
  volumes: (scene: Scene) => VolumeSpec[];
  snapshots: (scene: Scene) => SnapshotSpec[];
  checkData: (subject: Subject, scene: Scene) => Promise<void>;
  remove: (driver: VolumeDriver, scene: Scene) => Promise<void>;
}

const removeCopy: Call['remove'] = (driver, { made }) => driver.deleteVolume(made.copy);
const checkCopy: Call['checkData'] = (subject, { made, filled }) =>
  assertBlocks(subject, made.copy, [0, filled.sizeBytes - 4096], 'data');

const calls: readonly Call[] = [
  {
    title: 'a snapshot',
    needs: ['snapshots'],
    run: (driver, { made }) => snapshotsOf(driver).createSnapshot(made.snapshot),
    volumes: ({ volume }) => [volume],
    snapshots: ({ made }) => [made.snapshot],
    checkData: async (subject, scene) => {
      await snapshotsOf(subject.driver).createFromSnapshot(scene.made.copy, scene.made.snapshot);
      await checkCopy(subject, scene);
      await removeCopy(subject.driver, scene);
    },
    remove: (driver, { made }) => snapshotsOf(driver).deleteSnapshot(made.snapshot),
  },
  {
    title: 'a clone',
    needs: ['clones'],
    run: async (driver, { made, volume }) => driver.cloneVolume?.(made.copy, volume),
    volumes: ({ volume, made }) => [volume, made.copy],
    snapshots: () => [],
    checkData: checkCopy,
    remove: removeCopy,
  },
  {
    title: 'a volume from a snapshot',
    needs: ['snapshots'],
    prepare: (driver, { snapshot }) => snapshotsOf(driver).createSnapshot(snapshot),
    run: (driver, { made, snapshot }) => snapshotsOf(driver).createFromSnapshot(made.copy, snapshot),
    volumes: ({ volume, made }) => [volume, made.copy],
    snapshots: ({ snapshot }) => [snapshot],
    checkData: checkCopy,
    remove: removeCopy,
  },
  {
    title: 'an extension',
    needs: ['extend'],
    run: async (driver, { made }) => driver.extendVolume?.(made.larger),
    volumes: ({ made }) => [made.larger],
    snapshots: () => [],
    checkData: (subject, { filled }) => assertBlocks(subject, filled, [0, filled.sizeBytes - 4096], 'data'),
    remove: async () => {},
  },
];

const extensionBytes = 4 * 2 ** 20;

/** What a daemon leaves that is killed at any command of a call, or whose command is, and what the next daemon makes of it. */
export const crashCases: readonly Case[] = calls.map((call) => ({
  title: `${call.title} that was interrupted at any command is completed by a repetition, or removed, with all its parts`,
  needs: call.needs,
  uses: ['again', 'names'],
  isLong: true,
  run: async (subject) => {
    const { driver, names } = subject;
    const volume = spec();
    const copy = spec({ sizeBytes: volume.sizeBytes + extensionBytes });
    const made = { snapshot: snapshotOf(volume), copy, larger: volume };
    const scene = { volume, filled: volume, snapshot: snapshotOf(volume), made };
    const empty = await names?.();
    await driver.createVolume(volume);
    await fill(subject, volume, 'data');
    await call.prepare?.(driver, scene);
    await driver.close();
    const whole = await atPoint(call, subject, scene, new CrashPoint(0, 'killed'), true);
    const ways: [CrashKind, boolean][] = [
      ['killed', true],
      ['killed', false],
      ['unanswered', true],
    ];
    for (let at = 1, isHit = true; isHit; at += 1) {
      isHit = false;
      for (const [kind, isRepeated] of ways) {
        const point = new CrashPoint(at, kind);
        try {
          const left = await atPoint(call, subject, scene, point, isRepeated);
          if (isRepeated) assert.deepEqual(left, whole);
        } catch (error) {
          const what = `${kind} at command ${at}, "${point.hit}", then ${isRepeated ? 'repeated' : 'removed'}`;
          throw new Error(`${what}: ${String(error)}`, { cause: error });
        }
        isHit ||= point.hit !== undefined;
      }
    }
    await driver.setup();
    await removeAll(driver, [scene.volume], [scene.snapshot]);
    await until(async () => isDeepStrictEqual(await names?.(), empty), 'nothing is left');
  },
}));

/** Returns the names that the storage has after the repeated call, without the ids of the run. */
async function atPoint(
  call: Call,
  subject: Subject,
  scene: Scene,
  point: CrashPoint,
  isRepeated: boolean,
): Promise<readonly string[]> {
  const { again, names } = subject;
  assert.ok(again && names);
  const { volume } = scene;
  const sizeBytes = volume.sizeBytes + extensionBytes;
  const copy = spec({ sizeBytes });
  scene.made = { snapshot: snapshotOf(volume), copy, larger: { ...volume, sizeBytes } };
  const before = await names();

  const first = again(point);
  await first.setup();
  point.arm();
  await call.run(first, scene).catch((error: unknown) => {
    if (point.hit === undefined) throw error;
  });
  await first.close();

  const next = again();
  await next.setup();
  let left: string[] = [];
  if (isRepeated) {
    await call.run(next, scene);
    const [volumes, snapshots] = [call.volumes(scene), call.snapshots(scene)];
    assert.deepEqual(byId(await next.listVolumes()), byId(volumes.map(foundAs)));
    assert.deepEqual((await next.snapshots?.listSnapshots()) ?? [], snapshots.map(foundAsSnapshot));
    for (const one of volumes) assert.equal(await next.hasVolume(one), true);
    left = withoutIds(await names(), scene);
    await call.checkData({ ...subject, driver: next }, scene);
  }
  await call.remove(next, scene);
  const found = await listed(next, volume.id);
  assert.ok(found);
  scene.volume = { ...volume, sizeBytes: found.sizeBytes };
  await until(async () => isDeepStrictEqual(await names(), before), 'nothing is left');
  await next.close();
  return left;
}

function withoutIds(names: readonly string[], { volume, snapshot, made }: Scene): string[] {
  const ids = { volume, snapshot, made: made.snapshot, copy: made.copy };
  return names
    .map((name) => Object.entries(ids).reduce((text, [role, { id }]) => text.replaceAll(id, role), name))
    .toSorted();
}
