import { randomUUID } from 'node:crypto';
import { errors } from '../errors.ts';
import { checkText, checkVolumeName } from '../models/check-text.ts';
import { checkMetadata, metadataField, refuseTooMany } from '../models/metadata.ts';
import {
  type QosConsumer,
  type QosSpecState,
  checkEnforced,
  enforcedKeys,
  parseQosSpec,
} from '../models/qos-spec-state.ts';
import { qosSpecsOf } from '../models/qos-spec.ts';
import type { TypeState } from '../models/type-state.ts';
import { typesOf } from '../models/type.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { insertNamed } from './insert-named.ts';
import { maxChanges } from './start-task.ts';

/** Types that are changed at once. */
const pageSize = 100;

export interface NewQosSpec {
  id?: string;
  name: string;
  consumer: QosConsumer;
  specs: Readonly<Record<string, string>>;
}

/** A repeated request with the same id has one effect. Throws InvalidArgument, QosNotEnforced, QosSpecExists. */
export async function createQosSpec(
  store: Store,
  { id = randomUUID(), name: text, consumer, specs }: NewQosSpec,
): Promise<QosSpecState> {
  const name = checkVolumeName(text);
  check({ consumer, specs });
  const set = { name, consumer, ...fieldsOf(specs) };
  const what = { kind: 'qos-spec', parse: parseQosSpec, taken: errors.qosSpecExists } as const;
  return insertNamed(store, { ...what, id, name, set, records: qosSpecsOf(store) });
}

export interface QosSpecChanges {
  consumer?: QosConsumer | undefined;
  specs?: Readonly<Record<string, string>>;
  unset?: readonly string[];
}

/** They hold for attachments that are made later. Throws QosSpecNotFound, InvalidArgument, QosNotEnforced, QosKeyNotFound. */
export async function updateQosSpec(store: Store, id: string, changes: QosSpecChanges): Promise<QosSpecState> {
  const { specs = {}, unset = [] } = changes;
  for (let change = 0; change < maxChanges; change += 1) {
    const found = await qosSpecsOf(store).lookup(id);
    const absent = unset.find((key) => !Object.hasOwn(found.specs, key));
    if (absent !== undefined) throw errors.qosKeyNotFound(id, absent);
    const left = Object.entries(found.specs).filter(([key]) => !unset.includes(key));
    const { consumer = found.consumer } = changes;
    check({ consumer, specs: { ...Object.fromEntries(left), ...specs } });
    // Also that nobody adds one of a pair meanwhile.
    const none = Object.fromEntries(enforcedKeys.map((key) => [metadataField(key), '']));
    const before = { ...none, ...fieldsOf(found.specs) };
    const outcome = await commit(store, {
      edits: [
        {
          kind: 'qos-spec',
          id,
          expect: { consumer: found.consumer, ...before },
          set: { consumer, ...fieldsOf(specs) },
          unset: unset.filter((key) => !Object.hasOwn(specs, key)).map(metadataField),
        },
      ],
      event: 'qos-spec.update',
    });
    if (outcome.word === 'ok') return qosSpecsOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** With `force` also one that types have: they have none then. Throws QosSpecNotFound, QosSpecInUse. */
export async function deleteQosSpec(store: Store, id: string, { force }: { force: boolean }): Promise<void> {
  await qosSpecsOf(store).lookup(id);
  if (force) await dissociateAll(store, id);
  const outcome = await commit(store, {
    conditions: [{ is: 'empty', key: `qos-spec:${id}:types` }],
    edits: [{ kind: 'qos-spec', id, remove: true, optional: true }],
    event: 'qos-spec.delete',
  });
  if (outcome.word !== 'condition') return;
  throw errors.qosSpecInUse(id, await store.read((redis) => redis.zrange(store.keys.qosSpecTypes(id), '0', '4')));
}

/** Throws QosSpecNotFound, TypeNotFound, TypeHasQosSpec. */
export async function associate(store: Store, id: string, type: string): Promise<void> {
  await qosSpecsOf(store).lookup(id);
  const { qosSpec } = await typesOf(store).lookup(type);
  if (qosSpec !== '' && qosSpec !== id) throw errors.qosSpecOfType(type, qosSpec);
  const outcome = await commit(store, {
    edits: [
      { kind: 'type', id: type, expect: { qosSpec }, set: { qosSpec: id } },
      { kind: 'qos-spec', id },
    ],
    event: 'type.update',
  });
  if (outcome.word === 'absent') throw outcome.edit === 0 ? errors.typeNotFound(type) : errors.qosSpecNotFound(id);
  if (outcome.word === 'changed') throw errors.qosSpecOfType(type, outcome.record['qosSpec'] ?? '');
}

/** A type that has not this spec stays as it is. Throws QosSpecNotFound, TypeNotFound. */
export async function dissociate(store: Store, id: string, type: string): Promise<void> {
  await qosSpecsOf(store).lookup(id);
  await typesOf(store).lookup(type);
  await commit(store, {
    edits: [{ kind: 'type', id: type, expect: { qosSpec: id }, unset: ['qosSpec'] }],
    event: 'type.update',
  });
}

/** Throws QosSpecNotFound. */
export async function dissociateAll(store: Store, id: string): Promise<void> {
  await qosSpecsOf(store).lookup(id);
  for (;;) {
    const types = await store.read((redis) => redis.zrange(store.keys.qosSpecTypes(id), '0', String(pageSize - 1)));
    if (types.length === 0) return;
    for (const type of types) {
      await commit(store, {
        edits: [{ kind: 'type', id: type, expect: { qosSpec: id }, unset: ['qosSpec'], optional: true }],
        event: 'type.update',
      });
    }
  }
}

/** Returns the first types that have a spec, the oldest first. Throws QosSpecNotFound. */
export async function typesWith(store: Store, id: string, limit: number): Promise<TypeState[]> {
  await qosSpecsOf(store).lookup(id);
  return (await typesOf(store).page(store.keys.qosSpecTypes(id), { limit })).states;
}

/** Throws InvalidArgument, QosNotEnforced. */
function check({ consumer, specs }: Pick<QosSpecState, 'consumer' | 'specs'>): void {
  for (const key of Object.keys(specs)) checkText('QoS key', key);
  checkMetadata(specs);
  refuseTooMany(Object.keys(specs));
  checkEnforced({ consumer, specs });
}

function fieldsOf(specs: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(specs).map(([key, value]) => [metadataField(key), value]));
}
