import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { checkVolumeName } from '../models/check-text.ts';
import { type GroupTypeState, parseGroupType } from '../models/group-type-state.ts';
import { groupTypesOf } from '../models/group-type.ts';
import { checkMetadata, metadataField, metadataFields, refuseTooMany } from '../models/metadata.ts';
import { withoutEmpty } from '../models/volume-edit.ts';
import { type Condition, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { insertNamed } from './insert-named.ts';
import { maxChanges } from './start-task.ts';

/** What a type of groups says; what is not given stays as it is. */
export interface GroupTypeChanges {
  name?: string;
  /** '': none. */
  description?: string;
  isPublic?: boolean;
  specs?: Readonly<Record<string, string>>;
  unsetSpecs?: readonly string[];
}

/** A repeated request with the same id has one effect. Throws InvalidArgument, GroupTypeExists. */
export async function createGroupType(
  store: Store,
  { id = randomUUID(), ...changes }: GroupTypeChanges & { id?: string; name: string },
): Promise<GroupTypeState> {
  const { set } = fieldsOf(changes);
  refuseTooMany(Object.keys(changes.specs ?? {}));
  const { name } = changes;
  const what = { kind: 'group-type', parse: parseGroupType, taken: errors.groupTypeExists } as const;
  return insertNamed(store, { ...what, id, name, set, records: groupTypesOf(store) });
}

/** Throws GroupTypeNotFound, InvalidArgument, GroupTypeExists. */
export async function updateGroupType(store: Store, id: string, changes: GroupTypeChanges): Promise<GroupTypeState> {
  const { set, unset } = fieldsOf(changes);
  for (let change = 0; change < maxChanges; change += 1) {
    const { name, specs } = await groupTypesOf(store).lookup(id);
    const left = Object.keys(specs).filter((key) => !changes.unsetSpecs?.includes(key));
    refuseTooMany([...new Set([...left, ...Object.keys(changes.specs ?? {})])]);
    const isRenamed = changes.name !== undefined && changes.name !== name;
    const outcome = await commit(store, {
      conditions: isRenamed ? [nameIsFree(changes.name ?? '')] : [],
      edits: [{ kind: 'group-type', id, expect: { name }, set, unset }],
      event: 'group-type.update',
    });
    if (outcome.word === 'condition') throw errors.groupTypeExists(changes.name ?? '');
    if (outcome.word === 'ok') return groupTypesOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Throws GroupTypeNotFound, GroupTypeInUse. */
export async function deleteGroupType(store: Store, id: string): Promise<void> {
  const outcome = await commit(store, {
    conditions: [{ is: 'empty', key: `group-type:${id}:groups` }],
    edits: [{ kind: 'group-type', id, remove: true }],
    event: 'group-type.delete',
  });
  if (outcome.word === 'absent') throw errors.groupTypeNotFound(id);
  if (outcome.word !== 'condition') return;
  throw errors.groupTypeInUse(id, await store.read((redis) => redis.zrange(store.keys.groupTypeGroups(id), '0', '4')));
}

function nameIsFree(name: string): Condition {
  return { is: 'empty', key: `group-type-name:${name}` };
}

/** Throws InvalidArgument. */
function fieldsOf({ name, description, isPublic, specs = {}, unsetSpecs = [] }: GroupTypeChanges) {
  checkMetadata(specs);
  const { set, unset } = withoutEmpty({
    ...(name === undefined ? {} : { name: checkVolumeName(name) }),
    ...(description === undefined ? {} : { description }),
    ...(isPublic === undefined ? {} : { private: isPublic ? '' : 'true' }),
  });
  const removed = unsetSpecs.filter((key) => !Object.hasOwn(specs, key)).map(metadataField);
  return { set: { ...set, ...metadataFields(specs) }, unset: [...unset, ...removed] };
}
