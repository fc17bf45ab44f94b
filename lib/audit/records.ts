import { type KindName, kindNames } from '../models/kinds.ts';
import { credentialsOf } from '../models/application-credential.ts';
import { assignmentsOf } from '../models/assignment.ts';
import { attachmentsOf } from '../models/attachment.ts';
import { groupsOf } from '../models/group.ts';
import { groupSnapshotsOf } from '../models/group-snapshot.ts';
import { groupTypesOf } from '../models/group-type.ts';
import { isId } from '../models/id.ts';
import { projectsOf } from '../models/project.ts';
import { qosSpecsOf } from '../models/qos-spec.ts';
import { everyProject } from '../models/quota.ts';
import type { Records } from '../models/records.ts';
import { transfersOf } from '../models/transfer.ts';
import { typesOf } from '../models/type.ts';
import { usersOf } from '../models/user.ts';
import { parseVolume } from '../models/volume-state.ts';
import { type Hash, UnreadableError } from '../models/hash.ts';
import { parseSignInFailures } from '../models/sign-in-failures.ts';
import { parseToken } from '../models/token.ts';
import { memberPages } from '../redis/scan.ts';
import { checkRecord, isStrayEntry } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { type Finding, inRedis } from './finding.ts';
import { eachOf } from './each-of.ts';
import { auditKeys, listedIn, persistFix } from './keys.ts';
import { auditShelves } from './shelves.ts';
import { auditUsage } from './usage.ts';

const recordName =
  /^(?:(volume|abandoned|migration|former|superseded|job|snapshot|attachment|transfer|group|group-snapshot|group-type|type|qos-spec|backend|node|user|project|assignment|application-credential|token|sign-in-failures):([^:]+)|(default-type|quota):(.+))$/s;
const quotaName = /^(?:quota:(.+)|project:(.+):(?:volumes|snapshots))$/s;
const shelvesOfNode = /^node:([^:]+):(?:shelves|quarantine)$/;

/** Differences within Redis: keys, records, indexes, usage of projects, AoE shelves. With `repair` indexes are repaired. Work proportional to the cluster, in pages. */
export async function* auditRecords(store: Store, { repair }: { repair: boolean }): AsyncGenerator<Finding> {
  const damaged = new Set<string>();
  for await (const finding of auditKeys(store, { repair })) {
    if (!finding.fixed && finding.fix !== persistFix)
      damaged.add(finding.object.slice(`key ${store.keys.prefix}`.length));
    yield finding;
  }
  const indexes = new Map<string, KindName>();
  const nodes = new Set<string>();
  const projects = new Set<string>();
  for await (const names of store.names()) {
    const records = names.flatMap((name) => {
      const [, kind, id, ofProject, project] = recordName.exec(name) ?? [];
      return recordIn(kind ?? ofProject, id ?? project);
    });
    yield* await eachOf(records, (record) => recordFindings(store, record, repair));
    for (const name of names) {
      const kind = listedIn(name);
      if (kind && !damaged.has(name)) indexes.set(name, kind);
      const [, limited, listed] = quotaName.exec(name) ?? [];
      const project = limited ?? listed;
      if (project !== undefined && project !== everyProject) projects.add(project);
      const node = shelvesOfNode.exec(name)?.[1];
      if (node !== undefined) nodes.add(node);
    }
  }
  for (const [index, kind] of indexes) {
    for await (const members of memberPages(store, store.keys.prefix + index)) {
      yield* await eachOf(members, (member) => strayEntry(store, kind, index, member, repair));
    }
  }
  const isWhole = (project: string) =>
    [`quota:${project}`, `project:${project}:volumes`, `project:${project}:snapshots`].every(
      (name) => !damaged.has(name),
    );
  for (const project of projects) if (isWhole(project)) yield* await auditUsage(store, project, { repair });
  const areShelvesDamaged = [...damaged].some((name) => name.startsWith('aoe:') || shelvesOfNode.test(name));
  if (!areShelvesDamaged) yield* auditShelves(store, nodes, { repair });
}

/** Kinds of which every record that this version cannot read is reported. */
const readableKinds = new Map<KindName, (store: Store) => Pick<Records<{ id: string }>, 'readAll'>>([
  ['attachment', attachmentsOf],
  ['transfer', transfersOf],
  ['group', groupsOf],
  ['group-snapshot', groupSnapshotsOf],
  ['group-type', groupTypesOf],
  ['type', typesOf],
  ['qos-spec', qosSpecsOf],
  ['user', usersOf],
  ['project', projectsOf],
  ['assignment', assignmentsOf],
  ['application-credential', credentialsOf],
]);

/** Those that are no Records. */
const parsers = new Map<KindName, (id: string, hash: Hash) => unknown>([
  ['token', parseToken],
  ['sign-in-failures', (_, hash) => parseSignInFailures(hash)],
]);

function recordIn(kind: string | undefined, id: string | undefined): { kind: KindName; id: string }[] {
  return id !== undefined && isRecordKind(kind) ? [{ kind, id }] : [];
}

function isRecordKind(kind: string | undefined): kind is KindName {
  return kindNames.some((name) => name === kind);
}

async function recordFindings(
  store: Store,
  { kind, id }: { kind: KindName; id: string },
  repair: boolean,
): Promise<Finding[]> {
  const missing = await checkRecord(store, kind, id, repair);
  if (missing === undefined) return []; // of a wrong type: reported with its key
  const object = `${kind} ${id}`;
  const found = missing.map((index) => inRedis(object, placeIn(index), 'correct the index', repair));
  const reason = await unreadable(store, kind, id);
  return reason === undefined ? found : [...found, inRedis(object, `has an unusable record: ${reason}`, '', false)];
}

/** Why this version cannot read a record, or who should report it cannot. */
async function unreadable(store: Store, kind: KindName, id: string): Promise<string | undefined> {
  const records = readableKinds.get(kind)?.(store);
  if (records) return (await records.readAll([id])).unreadable[0]?.reason;
  const parse = parsers.get(kind);
  if (!parse && kind !== 'volume' && kind !== 'abandoned') return undefined;
  const record = await store.read((redis) => redis.hgetall(`${store.keys.prefix}${kind}:${id}`));
  if (Object.keys(record).length === 0) return undefined;
  try {
    if (parse) {
      parse(id, record);
      return undefined;
    }
    const { node } = parseVolume(id, record);
    if (node === '') return 'has no node';
    const exists = await store.read((redis) => redis.exists(store.keys.node(node)));
    return exists === 1 || kind === 'abandoned' ? undefined : `is on node ${node}, which has no record`;
  } catch (error) {
    if (error instanceof UnreadableError) return error.message;
    throw error;
  }
}

function placeIn(index: string): string {
  return `is not in its place in the index ${index}`;
}

async function strayEntry(
  store: Store,
  kind: KindName,
  index: string,
  member: string,
  repair: boolean,
): Promise<Finding[]> {
  const id = member.slice(member.indexOf('\0') + 1);
  const isOdd = (kind === 'volume' || kind === 'abandoned') && !isId(id);
  if (!(await isStrayEntry(store, { kind, id, index, member }, repair)) && !isOdd) return [];
  const object = `entry ${member.replace('\0', ' ')}`;
  return [
    inRedis(object, `is in the index ${index} and no record accounts for it`, 'remove it from the index', repair),
  ];
}
