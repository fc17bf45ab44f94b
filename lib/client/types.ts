import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { checkMetadata, metadataField, metadataFields } from '../models/metadata.ts';
import { checkRequirements, requirementField, requirementNames } from '../models/requirements.ts';
import { withoutEmpty } from '../models/volume-edit.ts';
import type { TypeState } from '../models/type-state.ts';
import { typesOf } from '../models/type.ts';
import { type Condition, type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

/** What a type says; what is not given stays as it is. */
export interface TypeChanges {
  name?: string;
  /** '': none. */
  description?: string;
  /** By their names; a value of '' removes one. */
  requirements?: Readonly<Record<string, string>>;
  metadata?: Readonly<Record<string, string>>;
  /** 0: none. They hold for attachments that are made later. */
  iops?: number;
  bytesPerSecond?: number;
  unsetMetadata?: readonly string[];
}

/** Throws InvalidArgument, TypeExists. */
export async function createType(store: Store, changes: TypeChanges & { name: string }): Promise<TypeState> {
  const id = randomUUID();
  const { set } = fieldsOf(changes);
  const edit: Edit = { kind: 'type', id, insert: true, set, stamp: ['createTime'] };
  const outcome = await commit(store, { conditions: [nameIsFree(changes.name)], edits: [edit], event: 'type.create' });
  if (outcome.word === 'condition') throw errors.typeExists(changes.name);
  return typesOf(store).lookup(id);
}

/** Requirements change only as long as no volume is of the type. Throws TypeNotFound, InvalidArgument, TypeExists, TypeInUse. */
export async function updateType(store: Store, id: string, changes: TypeChanges): Promise<TypeState> {
  const { set, unset } = fieldsOf(changes);
  for (let change = 0; change < maxChanges; change += 1) {
    const { name } = await typesOf(store).lookup(id);
    const renamed = changes.name === undefined || changes.name === name ? [] : [nameIsFree(changes.name)];
    const required = Object.keys(changes.requirements ?? {}).length === 0 ? [] : [isUnused(id)];
    const outcome = await commit(store, {
      conditions: [...renamed, ...required],
      edits: [{ kind: 'type', id, expect: { name }, set, unset }],
      event: 'type.update',
    });
    if (outcome.word === 'condition') {
      throw required.includes(outcome.condition) ? await inUse(store, id) : errors.typeExists(changes.name ?? '');
    }
    if (outcome.word === 'ok') return typesOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Throws TypeNotFound, TypeInUse. */
export async function deleteType(store: Store, id: string): Promise<void> {
  const outcome = await commit(store, {
    conditions: [isUnused(id)],
    edits: [{ kind: 'type', id, remove: true }],
    event: 'type.delete',
  });
  if (outcome.word === 'absent') throw errors.typeNotFound(id);
  if (outcome.word === 'condition') throw await inUse(store, id);
}

function nameIsFree(name: string): Condition {
  return { is: 'empty', key: `type-name:${name}` };
}

function isUnused(id: string): Condition {
  return { is: 'empty', key: `type:${id}:volumes` };
}

async function inUse(store: Store, id: string): Promise<Error> {
  return errors.typeInUse(id, await store.read((redis) => redis.zrange(store.keys.typeVolumes(id), '0', '4')));
}

/** Throws InvalidArgument. */
function fieldsOf(changes: TypeChanges) {
  const { name, description, requirements = {}, metadata = {}, unsetMetadata = [], iops, bytesPerSecond } = changes;
  checkMetadata(metadata);
  const limits = withoutEmpty({
    ...(iops === undefined ? {} : { limitIops: limitText('iops', iops) }),
    ...(bytesPerSecond === undefined ? {} : { limitBytes: limitText('bytesPerSecond', bytesPerSecond) }),
  });
  const isDropped = (text: string) => requirements[text] === '';
  const given = Object.keys(requirements);
  // Names are checked of those that go as well.
  checkRequirements(Object.fromEntries(given.filter(isDropped).map((text) => [text, 'no'])));
  const required = checkRequirements(
    Object.fromEntries(Object.entries(requirements).filter(([text]) => !isDropped(text))),
  );
  const kept = requirementNames.filter((one) => required[one] !== undefined);
  const set = {
    ...(name === undefined ? {} : { name: checkVolumeName(name) }),
    ...(description === undefined || description === '' ? {} : { description: checkText('description', description) }),
    ...Object.fromEntries(kept.map((one) => [requirementField(one), required[one] ?? ''])),
    ...metadataFields(metadata),
    ...limits.set,
  };
  const unset = [
    ...(description === '' ? ['description'] : []),
    ...requirementNames.filter(isDropped).map(requirementField),
    ...unsetMetadata.map(metadataField),
    ...limits.unset,
  ];
  return { set, unset };
}

/** '' for none. Throws InvalidArgument. */
function limitText(name: string, value: number): string {
  if (Number.isInteger(value) && value >= 0 && value < 1e15) return value === 0 ? '' : String(value);
  throw errors.invalidArgument(name, value, 'a whole number, 0 for none');
}
