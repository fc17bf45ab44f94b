import { z } from 'zod';
import { type Hash, hashSchema } from '../models/hash.ts';
import type { KindName } from '../models/kinds.ts';
import type { Fault } from '../errors.ts';
import type { ScriptAnswer, Store } from './store.ts';

/** A daemon's right to its node's name, presented by every change that it makes. */
export interface LeaseToken {
  node: string;
  token: string;
}

/**
 * A process that waits for a reply, and which of its requests it waits for, as `requester/request`. Short: a value of more than
 * 64 bytes has Redis keep the record in a form that takes twice the memory.
 */
export type ReplyTo = `${string}/${string}`;

export type Condition =
  | { is: 'up' | 'down' | 'lost' | 'notLost'; node: string }
  /** Neither up nor stopped in the last minute. */
  | { is: 'gone'; node: string }
  /** The node is not lost; nor gone, where others serve the same storage. */
  | { is: 'served'; node: string; backend: string }
  /** `grows`: for a volume that the backend has already. */
  | { is: 'freeSpace'; backend: string; bytes: number; grows?: true }
  /** The quota of the project has room for so much more. */
  | ({ is: 'quota'; project: string } & More)
  | { is: 'empty'; key: string }
  /** The sorted set has fewer members. */
  | { is: 'fewer'; key: string; than: number }
  /** There is no such record. */
  | { is: 'absent'; kind: KindName; id: string }
  /** No address of the node was released in the last `quarantineMs`. */
  | { is: 'rested'; node: string; quarantineMs: number };

/** What a request adds to what a project has. Snapshots count with the size of their volume. */
export interface More {
  volumes?: number;
  bytes?: number;
  snapshots?: number;
}

export interface Edit {
  kind: KindName;
  id: string;
  /** The record must not exist; without, it must. */
  insert?: true;
  remove?: true;
  /** The record need not exist: then there is nothing to change. */
  optional?: true;
  /** Values that fields must have; '' = absent. */
  expect?: Readonly<Record<string, string>>;
  set?: Readonly<Record<string, string>>;
  unset?: readonly string[];
  /** Fields that become the server's time. */
  stamp?: readonly string[];
  /** Waits for the record's task as well. */
  join?: ReplyTo;
  /** An address of the record's node that is in quarantine from now on. */
  rest?: string;
}

export interface ChangeSet {
  owner?: LeaseToken;
  conditions?: readonly Condition[];
  edits: readonly Edit[];
  commands?: readonly { topic: string; message: string }[];
  /** To the requesters in the record of an edit (its index): the record after it, or a result (a JSON text), or a fault. */
  replies?: readonly { edit: number; result?: string; fault?: Fault | undefined }[];
  /** An event of the first record: what became of it, such as `type.create`. That of a task is an event by itself. */
  event?: string;
  /** Whether the outcome has the records. */
  returns?: true;
  /** Made also when Redis has no memory left: Redis has more when it and what it begins have ended. */
  frees?: boolean;
}

/**
 * What became of a change set. `time`: the value of stamped fields. `records`: of each edit, undefined where it was removed; empty
 * unless `returns`.
 */
export type Outcome =
  | { word: 'ok'; time: string; records: readonly (Hash | undefined)[] }
  | { word: 'Fenced' }
  | { word: 'condition'; condition: Condition }
  | { word: 'absent'; edit: number }
  | { word: 'exists' | 'changed'; edit: number; record: Hash };

/** Applies a change set: all of it, or nothing. Throws RedisUnreachable, RedisDenied, RedisRefuses, NotReplicated. */
export async function commit(store: Store, { frees, ...change }: ChangeSet): Promise<Outcome> {
  const answer = await store.run('commit', JSON.stringify(forLua(change, store.by)), frees ? 'frees' : '');
  const [word, first = '', second = ''] = answer;
  switch (word) {
    case 'ok':
      return { word, time: first, records: answer.slice(2).map(recordIn) };
    case 'Fenced':
      return { word };
    case 'condition': {
      const condition = change.conditions?.[Number(first) - 1];
      if (condition) return { word, condition };
      break;
    }
    case 'absent':
      return { word, edit: Number(first) - 1 };
    case 'exists':
    case 'changed':
      return { word, edit: Number(first) - 1, record: recordIn(second) ?? {} };
    default:
  }
  throw unknownAnswer('commit', answer);
}

/** Lua counts from 1, and takes faults as JSON text. */
function forLua({ replies, ...change }: ChangeSet, by: string): object {
  const asked = by === '' ? change : { ...change, by };
  if (!replies) return asked;
  return {
    ...asked,
    replies: replies.map(({ edit, fault, ...rest }) => ({
      edit: edit + 1,
      ...rest,
      ...(fault === undefined ? {} : { fault: JSON.stringify(fault) }),
    })),
  };
}

function recordIn(text: string): Hash | undefined {
  return text === '' ? undefined : hashSchema.parse(JSON.parse(text));
}

/** `quietMs`: how long ago the holder was heard last. */
export type LeaseOutcome =
  | { word: 'ok'; token: string }
  | { word: 'NodeNameTaken'; holder: string; leftMs: number; quietMs: number }
  | { word: 'Fenced' };

/** Takes a node's name; `tokenBefore`: takes again what Redis has lost. */
export async function acquireLease(
  store: Store,
  request: { node: string; holder: string; leaseMs: number; incarnation: string; tokenBefore: string },
): Promise<LeaseOutcome> {
  const { node, holder, leaseMs, incarnation, tokenBefore } = request;
  const answer = await store.run('acquire_lease', node, holder, leaseMs, incarnation, tokenBefore);
  const [word, first = '', second = '', third = ''] = answer;
  if (word === 'ok') return { word, token: first };
  if (word === 'NodeNameTaken') return { word, holder: first, leftMs: Number(second), quietMs: Number(third) };
  if (word === 'Fenced') return { word };
  throw unknownAnswer('acquire_lease', answer);
}

/** Returns false where the lease is another daemon's. */
export async function releaseLease(store: Store, { node, token }: LeaseToken): Promise<boolean> {
  return okOrFenced('release_lease', await store.run('release_lease', node, token));
}

/** `time`: when it was made, as the next repetition names it. */
export type ReportOutcome = { word: 'ok'; time: string; overdue: readonly string[] } | { word: 'Fenced' };

/** A heartbeat. What differs in Redis becomes as it is reported. */
export async function report(
  store: Store,
  request: LeaseToken & {
    holder: string;
    leaseMs: number;
    overdueMs: number;
    nodeFields: Readonly<Record<string, string>>;
    /** Every configured backend, `node@name` and its fields: the node's others accept nothing. */
    backends: readonly (readonly [string, Readonly<Record<string, string>>])[];
  },
): Promise<ReportOutcome> {
  const { node, token, holder, leaseMs, overdueMs, nodeFields, backends } = request;
  const fields = JSON.stringify({ node: nodeFields, backends });
  const answer = await store.run('report', node, token, holder, leaseMs, overdueMs, fields);
  const [word, time, ...overdue] = answer;
  if (word === 'Fenced') return { word };
  if (word === 'ok' && time !== undefined) return { word, time, overdue };
  throw unknownAnswer('report', answer);
}

/** A heartbeat with the same report as that of `lastTime`; refused as `stale` where Redis no longer has that one as the last. */
export async function repeatReport(
  store: Store,
  request: LeaseToken & { leaseMs: number; overdueMs: number; lastTime: string },
): Promise<ReportOutcome | { word: 'stale' }> {
  const { node, token, leaseMs, overdueMs, lastTime } = request;
  const answer = await store.run('repeat_report', node, token, leaseMs, overdueMs, lastTime);
  const [word, time, ...overdue] = answer;
  if (word === 'Fenced' || word === 'stale') return { word };
  if (word === 'ok' && time !== undefined) return { word, time, overdue };
  throw unknownAnswer('repeat_report', answer);
}

/** No volume is placed on a backend of a node that is not up. */
export async function hideBackend(store: Store, backend: string, node: string): Promise<void> {
  await store.run('hide_backend', backend, node);
}

export type ShelfOutcome =
  | { word: 'ok'; shelf: number }
  | { word: 'Taken'; owner: string }
  | { word: 'NoShelf' }
  | { word: 'Fenced' };

/** Claims the shelf `shelf`, or the lowest free one of a range. */
export async function claimShelf(
  store: Store,
  { node, token, first, last, shelf }: LeaseToken & { first: number; last: number; shelf?: number },
): Promise<ShelfOutcome> {
  const answer = await store.run('claim_shelf', node, token, first, last, shelf ?? '');
  const [word, value = ''] = answer;
  if (word === 'ok') return { word, shelf: Number(value) };
  if (word === 'Taken') return { word, owner: value };
  if (word === 'NoShelf' || word === 'Fenced') return { word };
  throw unknownAnswer('claim_shelf', answer);
}

/** Gives a shelf back that was claimed and not used. Returns false where the node is no longer the caller's. */
export async function releaseShelf(
  store: Store,
  { node, token, shelf }: LeaseToken & { shelf: number },
): Promise<boolean> {
  const [word] = await store.run('release_shelf', node, token, shelf);
  return word === 'ok';
}

/** Frees the shelves of a node that was removed. */
export async function releaseShelves(store: Store, node: string): Promise<void> {
  for (;;) {
    const [, left = '0'] = await store.run('release_shelves', node);
    if (left === '0') return;
  }
}

/** Returns whether the node may compare its records with its storage now. */
export async function beginCatchUp(
  store: Store,
  { node, places, lengthMs }: { node: string; places: number; lengthMs: number },
): Promise<boolean> {
  const [word] = await store.run('begin_catch_up', node, places, lengthMs);
  return word === 'ok';
}

/** Returns the names of the indexes that lack the record, or have it in another place; undefined where the record is no hash. */
export async function checkRecord(
  store: Store,
  kind: KindName,
  id: string,
  repair: boolean,
): Promise<string[] | undefined> {
  const [word, ...missing] = await store.run('check_record', kind, id, repair ? 'repair' : '');
  return word === 'WrongType' ? undefined : missing;
}

/** What is wrong with the indexes of an AoE shelf. */
export type ShelfFault =
  | { word: 'Lacks'; index: string }
  | { word: 'Unowned' }
  | { word: 'Stray' }
  | { word: 'Taken'; owner: string };

/** `node`: in whose index the shelf is, or ''. Returns undefined where all is well. */
export async function checkShelf(
  store: Store,
  shelf: string,
  node: string,
  repair: boolean,
): Promise<ShelfFault | undefined> {
  const answer = await store.run('check_shelf', shelf, node, repair ? 'repair' : '');
  const [word, value = ''] = answer;
  if (word === 'ok') return undefined;
  if (word === 'Lacks') return { word, index: value };
  if (word === 'Taken') return { word, owner: value };
  if (word === 'Unowned' || word === 'Stray') return { word };
  throw unknownAnswer('check_shelf', answer);
}

/** Returns whether an index has an entry that no record accounts for. */
export async function isStrayEntry(
  store: Store,
  entry: { kind: KindName; id: string; index: string; member: string },
  repair: boolean,
): Promise<boolean> {
  const { kind, id, index, member } = entry;
  const [word] = await store.run('check_entry', kind, id, index, member, repair ? 'repair' : '');
  return word === 'Stray';
}

function okOrFenced(name: string, answer: ScriptAnswer): boolean {
  const { data } = z.enum(['ok', 'Fenced']).safeParse(answer[0]);
  if (data === undefined) throw unknownAnswer(name, answer);
  return data === 'ok';
}

function unknownAnswer(name: string, answer: ScriptAnswer): Error {
  return new Error(`script ${name} answered ${JSON.stringify(answer)}`);
}
