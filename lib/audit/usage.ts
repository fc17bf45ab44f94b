import type { Hash } from '../models/hash.ts';
import { quotasOf } from '../models/quota.ts';
import type { Records } from '../models/records.ts';
import { snapshotsOf } from '../models/snapshot.ts';
import { volumesOf } from '../models/volume.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import { type Finding, inRedis } from './finding.ts';

/** How often the records of a project are added up while requests change them. */
const maxTries = 10;

/** Compares the bytes that a project is counted to use with the sum over its volumes and snapshots, which are read in pages. */
export async function auditUsage(store: Store, project: string, { repair }: { repair: boolean }): Promise<Finding[]> {
  const object = `quota ${project}`;
  const { unreadable } = await quotasOf(store).readAll([project]);
  const [damaged] = unreadable;
  // The counter alone can be made again.
  if (damaged && !isWithout(damaged.hash)) {
    return [inRedis(object, `has an unusable record: ${damaged.reason}`, '', false)];
  }
  for (let tries = 0; tries < maxTries; tries += 1) {
    const before = await counterOf(store, project);
    const used = await usedBytes(store, project);
    if (used === undefined) return [];
    const bytes = String(used);
    const counter = await counterOf(store, project);
    if (counter !== before) continue;
    if ((counter || '0') === bytes) return [];
    const isFixed = repair && (await correct(store, project, counter, bytes));
    if (repair && !isFixed) continue;
    const what = `counts ${counter || 'nothing'} as used, the records come to ${bytes} bytes`;
    return [inRedis(object, what, 'correct the counter', isFixed)];
  }
  return [inRedis(object, 'was not compared: its volumes and snapshots change all the time', '', false)];
}

/** Whether a record without its counter can be read. */
function isWithout(record: Hash): boolean {
  return Object.entries(record).every(
    ([field, value]) => field === 'usedBytes' || /^(\d{1,16}|unlimited)$/.test(value),
  );
}

async function counterOf(store: Store, project: string): Promise<string> {
  return (await store.read((redis) => redis.hget(store.keys.quota(project), 'usedBytes'))) ?? '';
}

/** Undefined where a record is no hash, which is a difference of its own. */
async function usedBytes(store: Store, project: string): Promise<number | undefined> {
  const { keys } = store;
  const ofVolumes = await sumOf(volumesOf(store), keys.projectVolumes(project));
  const ofSnapshots = await sumOf(snapshotsOf(store), keys.projectSnapshots(project));
  return ofVolumes === undefined || ofSnapshots === undefined ? undefined : ofVolumes + ofSnapshots;
}

async function sumOf<State extends { id: string; size: number; newSize?: number | undefined }>(
  records: Records<State>,
  index: string,
): Promise<number | undefined> {
  let sum = 0;
  let isWhole = true;
  const found = records.iterate(index, ({ hash }) => {
    isWhole &&= Object.keys(hash).length > 0;
    sum += bytesOf(hash['newSize'] ?? hash['size']); // one that cannot be read counts as well
  });
  for await (const { size, newSize = size } of found) sum += sizeInBytes(newSize);
  return isWhole ? sum : undefined;
}

/** As the script `commit` counts. */
function bytesOf(size: string | undefined): number {
  const number = Number(size ?? Number.NaN);
  return Number.isFinite(number) ? sizeInBytes(number) : 0;
}

async function correct(store: Store, project: string, counter: string, bytes: string): Promise<boolean> {
  const exists = (await store.read((redis) => redis.exists(store.keys.quota(project)))) === 1;
  const change = bytes === '0' ? { unset: ['usedBytes'] } : { set: { usedBytes: bytes } };
  const edit: Edit = { kind: 'quota', id: project, ...change };
  const guarded: Edit = exists ? { ...edit, expect: { usedBytes: counter } } : { ...edit, insert: true };
  return (await commit(store, { edits: [guarded] })).word === 'ok';
}
