import { errors } from '../../../lib/errors.ts';
import { backendId, backendsOf, parsePlace } from '../../../lib/models/backend.ts';
import { formersOf } from '../../../lib/models/former.ts';
import { migrationsOf } from '../../../lib/models/migration.ts';
import { supersededOf } from '../../../lib/models/superseded.ts';
import { taskKey, writeTask } from '../../../lib/models/task.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import { redisTime } from '../../../lib/redis/redis-time.ts';
import { commit } from '../../../lib/redis/scripts.ts';
import type { AuditContext } from '../audit.ts';
import { formerEdit } from '../former.ts';
import type { StoredVolume } from '../found-storage.ts';
import { isOnStorage, otherKeeper } from '../shared-storage.ts';
import { copyLabel, fieldsIn, movedLabel } from '../specs.ts';
import { refuseChanged, refuseRecorded } from './before-removal.ts';
import type { Difference } from './difference.ts';

/** Returns the storage of this node that its records of migrations account for, as `volume backend`. */
export async function volumesOfMigrations({ store, lease }: AuditContext): Promise<ReadonlySet<string>> {
  const found = new Set<string>();
  const { keys } = store;
  for await (const { volume, backend } of migrationsOf(store).iterate(keys.nodeMigrations(lease.node)))
    found.add(`${volume} ${backend}`);
  for await (const { volume, backend } of formersOf(store).iterate(keys.nodeFormer(lease.node)))
    found.add(`${volume} ${backend}`);
  for await (const { volume, backend } of supersededOf(store).iterate(keys.nodeSuperseded(lease.node)))
    found.add(`${volume} ${backend}`);
  return found;
}

/** Storage that a volume has left, or a copy that was not completed, of which Redis has lost the record. */
export async function migrationStorage(
  context: AuditContext,
  found: StoredVolume,
  { underWay, isToRemove }: { underWay: ReadonlySet<string>; isToRemove: boolean },
): Promise<Difference[]> {
  const { store, engine } = context;
  const { id, labels, backend } = found;
  const { [movedLabel]: destination, [copyLabel]: source } = labels;
  const page = await volumesOf(store).readAll([id]);
  const [volume] = page.states;
  const isHere = volume !== undefined && (await isOnStorage(context, backend, volume));
  // Its record says what is to be done, or another node that reaches this storage.
  if (isHere || page.unreadable.length > 0 || underWay.has(`${id} ${backend.name}`)) return [];
  if (await otherKeeper(context, found)) return [];
  const object = `volume ${id}`;
  const removal = (signal: AbortSignal) =>
    engine.exclusively(id, async () => {
      await refuseRecorded(context, id);
      await removeStorage(found, signal);
    });
  if (!volume && isToRemove) {
    const what = 'has storage of a migration here, and no record';
    return [{ object, what, fix: 'remove the storage, as requested', run: removal, requested: true }];
  }
  if (destination !== undefined && !volume) {
    const run = () => restoreAt(context, found, destination);
    const what = `has left its storage here for ${destination}, and has no record`;
    return [{ object, what, fix: 'make its record again there', run, makesRecord: true }];
  }
  if (destination !== undefined) {
    const run = () => noteFormer(context, found, destination);
    return [
      {
        object,
        what: `has storage here that it has left for ${destination}`,
        fix: 'remove it once the volume is there',
        run,
      },
    ];
  }
  const run = (signal: AbortSignal) =>
    engine.exclusively(id, async () => {
      const now = await volumesOf(store).find(id);
      // Its record may be made again, from the storage of its node.
      if (!now) throw errors.volumeNotFound(id);
      const isHereNow = await isOnStorage(context, backend, now);
      if (now.migration !== '' || now.task?.kind === 'migrate' || isHereNow)
        throw errors.wrongStatus(id, now.status, 'no migration');
      await refuseChanged(context, now);
      await removeStorage(found, signal);
    });
  return [{ object, what: `has an incomplete copy here, of the volume on ${source}`, fix: 'remove the copy', run }];
}

/**
 * What is there has all the data, for otherwise the storage here would not have been left. The task that completes a migration does the
 * rest.
 */
async function restoreAt(
  { store, lease, former }: AuditContext,
  { id, labels, backend }: StoredVolume,
  destination: string,
): Promise<void> {
  const fields = fieldsIn(labels);
  const [target] = (await backendsOf(store).readAll([destination])).states;
  if (!fields || !target) throw errors.unknownStorage(id);
  const { address: _, createTime, movedFrom: _before, ...rest } = fields;
  const here = { id, node: lease.node, backend: backend.name, size: Number(rest.size), createTime: Number(createTime) };
  const task = writeTask({ kind: 'migrate', key: taskKey(), copied: await redisTime(store) });
  const set = {
    ...rest,
    createTime: String(createTime),
    node: target.node,
    backend: target.name,
    availabilityZone: target.availabilityZone,
    status: 'migrating',
    attachStatus: 'detached',
    movedFrom: backendId(lease.node, backend.name),
    task,
  };
  const outcome = await commit(store, {
    owner: lease.token,
    conditions: [{ is: 'absent', kind: 'abandoned', id }],
    edits: [{ kind: 'volume', id, insert: true, set }, formerEdit(here)],
  });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  // Made again by its own node meanwhile: the next comparison notes what it has left here.
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, 'recorded by now', 'no record');
  former.note(here);
}

/** From then on it is removed like that of every migration. */
async function noteFormer(
  context: AuditContext,
  { id, labels, backend }: StoredVolume,
  destination: string,
): Promise<void> {
  const { store, lease, former } = context;
  const volume = await volumesOf(store).lookup(id);
  const { node } = parsePlace(destination);
  if (await isOnStorage(context, backend, volume)) throw errors.wrongStatus(id, volume.status, 'another place');
  // Somebody else has it: this may be needed.
  if (volume.node !== node && labels['created'] !== String(volume.createTime)) throw errors.unknownStorage(id);
  const here = { ...volume, node: lease.node, backend: backend.name };
  const outcome = await commit(store, { owner: lease.token, edits: [formerEdit(here)] });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  former.note(here);
}

function removeStorage({ id, sizeBytes, labels, backend }: StoredVolume, signal: AbortSignal): Promise<void> {
  return backend.driver.deleteVolume({ id, size: 0, sizeBytes, labels }, { signal });
}
