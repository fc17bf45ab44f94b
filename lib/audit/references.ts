import { asError } from '../errors.ts';
import type { KindName } from '../models/kinds.ts';
import { memberPages } from '../redis/scan.ts';
import { type Edit, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { eachOf } from './each-of.ts';
import { type Finding, inRedis } from './finding.ts';

/** A field of a kind of records that names a record of another kind. */
interface Reference {
  kind: KindName;
  field: string;
  named: KindName;
  /** As a message says it, before the kind and the id of the named record. */
  relation: string;
  /** What a repair does: the record goes, or loses the field; without, only a person can help, as `advice` says. */
  repair?: { remove: true } | { unset: true; fix: string };
  advice?: (id: string) => string;
}

const remove = { remove: true } as const;
const references: readonly Reference[] = [
  { kind: 'attachment', field: 'volume', named: 'volume', relation: 'is of', repair: remove },
  { kind: 'transfer', field: 'volume', named: 'volume', relation: 'offers', repair: remove },
  { kind: 'snapshot', field: 'volume', named: 'volume', relation: 'is of' },
  {
    kind: 'snapshot',
    field: 'groupSnapshot',
    named: 'group-snapshot',
    relation: 'is one of',
    repair: { unset: true, fix: 'make it a snapshot of its volume alone' },
  },
  {
    kind: 'volume',
    field: 'group',
    named: 'group',
    relation: 'is in',
    repair: { unset: true, fix: 'take it out of the group' },
  },
  {
    kind: 'volume',
    field: 'type',
    named: 'type',
    relation: 'is of',
    advice: (id) => `give it another one: blockstore volume retype ${id}`,
  },
  {
    kind: 'group',
    field: 'type',
    named: 'group-type',
    relation: 'is of',
    repair: { unset: true, fix: 'leave it without a type' },
  },
  {
    kind: 'type',
    field: 'qosSpec',
    named: 'qos-spec',
    relation: 'has',
    repair: { unset: true, fix: 'leave it without limits' },
  },
  { kind: 'default-type', field: 'type', named: 'type', relation: 'names', repair: remove },
  { kind: 'assignment', field: 'user', named: 'user', relation: 'is of', repair: remove },
  { kind: 'application-credential', field: 'user', named: 'user', relation: 'is of', repair: remove },
  { kind: 'token', field: 'user', named: 'user', relation: 'is of', repair: remove },
];

/**
 * Records that name one which is not there. Asked after the nodes: a node that restores the record of a volume gives it its attachments
 * again by which hosts have it. Work proportional to the cluster, in pages.
 */
export async function* auditReferences(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  for (const reference of references) {
    try {
      for await (const ids of memberPages(store, `${store.keys.prefix}${reference.kind}s`)) {
        yield* await eachOf(ids, (id) => dangling(store, reference, id, repair));
      }
    } catch (error) {
      if (asError(error).code !== 'RedisDataDamaged') throw error; // a key of a wrong type, which is reported as such
    }
  }
}

async function dangling(store: Store, reference: Reference, id: string, repair: boolean): Promise<Finding[]> {
  const { kind, field, named, relation, advice } = reference;
  const key = `${store.keys.prefix}${kind}:${id}`;
  if ((await store.read((redis) => redis.type(key))) !== 'hash') return [];
  const read = () => store.read((redis) => redis.hget(key, field));
  const other = (await read()) ?? '';
  const isThere = await store.read((redis) => redis.exists(`${store.keys.prefix}${named}:${other}`));
  if (other === '' || isThere === 1 || (await read()) !== other) return []; // both can go at once
  const conditions = [{ is: 'absent', kind: named, id: other } as const];
  const edit = repairOf(reference, id, other);
  const isFixed = repair && edit !== undefined && (await commit(store, { conditions, edits: [edit] })).word === 'ok';
  const what = `${relation} ${named.replace('-', ' ')} ${other}, which has no record`;
  const fix = reference.repair === undefined ? '' : 'fix' in reference.repair ? reference.repair.fix : 'remove it';
  return [inRedis(`${kind.replace('-', ' ')} ${id}`, advice ? `${what}: ${advice(id)}` : what, fix, isFixed)];
}

function repairOf({ kind, field, repair }: Reference, id: string, other: string): Edit | undefined {
  if (repair === undefined) return undefined;
  const edit = { kind, id, optional: true, expect: { [field]: other } } as const;
  return 'remove' in repair ? { ...edit, remove: true } : { ...edit, unset: [field] };
}
