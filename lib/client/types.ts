import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { checkMetadata, metadataField, metadataFields, refuseTooMany } from '../models/metadata.ts';
import { checkRequirements, requirementField, requirementNames } from '../models/requirements.ts';
import { type TypeEncryption, encryptionSet } from '../models/type-encryption.ts';
import { withoutEmpty } from '../models/volume-edit.ts';
import { type TypeState, parseType } from '../models/type-state.ts';
import { typesOf } from '../models/type.ts';
import { type Condition, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { insertNamed } from './insert-named.ts';
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
  /** Whether every project can use it; otherwise those that were admitted. */
  isPublic?: boolean;
  /** Whether and how the hosts encrypt its volumes; of volumes that are made later. */
  encryption?: Omit<TypeEncryption, 'createTime'> | 'none';
}

/** A repeated request with the same id has one effect. Throws InvalidArgument, TypeExists. */
export async function createType(
  store: Store,
  { id = randomUUID(), ...changes }: TypeChanges & { id?: string; name: string },
): Promise<TypeState> {
  const { set, stamp } = fieldsOf(changes);
  refuseTooMany(Object.keys(changes.metadata ?? {}));
  const { name } = changes;
  const what = { kind: 'type', parse: parseType, taken: errors.typeExists } as const;
  return insertNamed(store, { ...what, id, name, set, stamp, records: typesOf(store) });
}

/**
 * Requirements and encryption change only as long as no volume is of the type. Throws TypeNotFound, InvalidArgument, TypeExists,
 * TypeInUse.
 */
export async function updateType(store: Store, id: string, changes: TypeChanges): Promise<TypeState> {
  const { set, unset, stamp } = fieldsOf(changes);
  for (let change = 0; change < maxChanges; change += 1) {
    const { name, metadata } = await typesOf(store).lookup(id);
    const left = Object.keys(metadata).filter((key) => !changes.unsetMetadata?.includes(key));
    refuseTooMany([...new Set([...left, ...Object.keys(changes.metadata ?? {})])]);
    const renamed = changes.name === undefined || changes.name === name ? [] : [nameIsFree(changes.name)];
    const isAsBefore = Object.keys(changes.requirements ?? {}).length === 0 && changes.encryption === undefined;
    const required = isAsBefore ? [] : [isUnused(id)];
    const outcome = await commit(store, {
      conditions: [...renamed, ...required],
      edits: [{ kind: 'type', id, expect: { name }, set, unset, stamp }],
      event: 'type.update',
    });
    if (outcome.word === 'condition') {
      throw required.includes(outcome.condition) ? await inUse(store, id) : errors.typeExists(changes.name ?? '');
    }
    if (outcome.word === 'ok') return typesOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Throws TypeNotFound, TypeInUse, TypeIsDefault. */
export async function deleteType(store: Store, id: string): Promise<void> {
  const outcome = await commit(store, {
    conditions: [isUnused(id), isNoDefault(id)],
    edits: [{ kind: 'type', id, remove: true }],
    event: 'type.delete',
  });
  if (outcome.word === 'absent') throw errors.typeNotFound(id);
  if (outcome.word !== 'condition') return;
  const of = await store.read((redis) => redis.zrange(store.keys.typeDefaultOf(id), '0', '4'));
  throw of.length > 0 ? errors.typeIsDefault(id, of) : await inUse(store, id);
}

function nameIsFree(name: string): Condition {
  return { is: 'empty', key: `type-name:${name}` };
}

function isUnused(id: string): Condition {
  return { is: 'empty', key: `type:${id}:volumes` };
}

function isNoDefault(id: string): Condition {
  return { is: 'empty', key: `type:${id}:default-of` };
}

async function inUse(store: Store, id: string): Promise<Error> {
  return errors.typeInUse(id, await store.read((redis) => redis.zrange(store.keys.typeVolumes(id), '0', '4')));
}

/** Throws InvalidArgument. */
function fieldsOf(changes: TypeChanges) {
  const { name, description, requirements = {}, metadata = {}, unsetMetadata = [], iops, bytesPerSecond } = changes;
  const { isPublic, encryption } = changes;
  checkMetadata(metadata);
  const others = withoutEmpty({
    ...(iops === undefined ? {} : { limitIops: limitText('iops', iops) }),
    ...(bytesPerSecond === undefined ? {} : { limitBytes: limitText('bytesPerSecond', bytesPerSecond) }),
    ...(isPublic === undefined ? {} : { private: isPublic ? '' : 'true' }),
    ...(encryption === undefined ? {} : encryptionSet(encryption === 'none' ? undefined : encryption)),
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
    ...others.set,
  };
  const unset = [
    ...(description === '' ? ['description'] : []),
    ...requirementNames.filter(isDropped).map(requirementField),
    ...unsetMetadata.map(metadataField).filter((field) => !(field in set)),
    ...others.unset,
    ...(encryption === 'none' ? ['encryptionTime'] : []),
  ];
  const stamp = encryption === undefined || encryption === 'none' ? [] : ['encryptionTime'];
  return { set, unset, stamp };
}

/** '' for none. Throws InvalidArgument. */
function limitText(name: string, value: number): string {
  if (Number.isInteger(value) && value >= 0 && value < 1e15) return value === 0 ? '' : String(value);
  throw errors.invalidArgument(name, value, 'a whole number, 0 for none');
}
