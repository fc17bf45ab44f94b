import { shelfOf, tryParseAddress } from '../../lib/aoe/address.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import type { FoundSnapshot } from '../../lib/drivers/snapshots.ts';
import { type GroupSnapshotState, parseGroupSnapshot } from '../../lib/models/group-snapshot-state.ts';
import { type SnapshotState, parseSnapshot } from '../../lib/models/snapshot-state.ts';
import { type AttachmentState, parseAttachment } from '../../lib/models/attachment-state.ts';
import { type VolumeState, contradiction, parseVolume } from '../../lib/models/volume-state.ts';
import { type TransferState, parseTransfer } from '../../lib/models/transfer-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { hasSizeOf, sizeInBytes } from '../../lib/volume-size.ts';
import type { FoundExport } from '../../lib/targets/target.ts';

/** What exists on a node outside Redis, read by a test. */
export interface NodeStorage {
  node: string;
  volumes: readonly Pick<FoundVolume, 'id' | 'sizeBytes' | 'labels'>[];
  /** Left out where the storage is not asked for them. */
  snapshots?: readonly Pick<FoundSnapshot, 'id' | 'volumeId'>[];
  /** Left out where nothing is exported. */
  exports?: readonly Pick<FoundExport, 'id' | 'address'>[];
  /** Whether unattached volumes are exported as well. */
  exportsUnattached?: boolean;
  /** Anything else that should not exist, such as a half-made file. */
  leftovers?: readonly string[];
}

/**
 * Returns all differences in Redis and on storage while nothing is under way, one line each; none when all is well.
 * It reads Redis as it is, key by key, and calls none of the code that wrote it.
 */
export async function disagreements(store: Store, storages: readonly NodeStorage[]): Promise<string[]> {
  const found = await read(store);
  return [
    ...found.unknown.map((key) => `key ${key} belongs to nothing`),
    ...[...found.records.values()].flatMap((volume) => recordProblems(volume, found)),
    ...[...found.snapshots.values()].flatMap((snapshot) => snapshotProblems(snapshot, found)),
    ...[...found.groupSnapshots.values()].flatMap((one) => groupSnapshotProblems(one, found)),
    ...[...found.attachments.values()].flatMap((attachment) => attachmentProblems(attachment, found)),
    ...[...found.transfers.values()].flatMap((transfer) => transferProblems(transfer, found)),
    ...indexProblems(found),
    ...addressProblems(found),
    ...allocationProblems(found),
    ...usageProblems(found),
    ...(await topicProblems(store, found.topics)),
    ...storages.flatMap((storage) => storageProblems(storage, found.records)),
    ...storages.flatMap((storage) => storedSnapshotProblems(storage, found)),
  ];
}

interface Found {
  records: Map<string, VolumeState>;
  snapshots: Map<string, SnapshotState>;
  attachments: Map<string, AttachmentState>;
  transfers: Map<string, TransferState>;
  groupSnapshots: Map<string, GroupSnapshotState>;
  /** Members by what follows the prefix in the key of a sorted set. */
  sets: Map<string, string[]>;
  shelfOwners: Map<string, string>;
  /** allocatedBytes by backend. */
  allocated: Map<string, number>;
  /** usedBytes by project. */
  used: Map<string, number>;
  topics: string[];
  unknown: string[];
}

async function read(store: Store): Promise<Found> {
  const { redis, keys } = store;
  const found: Found = {
    records: new Map(),
    snapshots: new Map(),
    attachments: new Map(),
    transfers: new Map(),
    groupSnapshots: new Map(),
    sets: new Map(),
    shelfOwners: new Map(Object.entries(await redis.hgetall(keys.shelfOwners()))),
    allocated: new Map(),
    used: new Map(),
    topics: [],
    unknown: [],
  };
  for (const key of await redis.keys(`${keys.prefix.replaceAll(/[[\]?*\\]/g, String.raw`\$&`)}*`)) {
    const name = key.slice(keys.prefix.length);
    const type = await redis.type(key);
    const id = /^volume:([^:]+)$/.exec(name)?.[1];
    const snapshot = /^snapshot:([^:]+)$/.exec(name)?.[1];
    const attachment = /^attachment:([^:]+)$/.exec(name)?.[1];
    const transfer = /^transfer:([^:]+)$/.exec(name)?.[1];
    const ofGroup = /^group-snapshot:([^:]+)$/.exec(name)?.[1];
    const backend = /^backend:(.+)$/.exec(name)?.[1];
    if (id !== undefined) found.records.set(id, parseVolume(id, await redis.hgetall(key)));
    else if (snapshot !== undefined) found.snapshots.set(snapshot, parseSnapshot(snapshot, await redis.hgetall(key)));
    else if (attachment !== undefined)
      found.attachments.set(attachment, parseAttachment(attachment, await redis.hgetall(key)));
    else if (ofGroup !== undefined)
      found.groupSnapshots.set(ofGroup, parseGroupSnapshot(ofGroup, await redis.hgetall(key)));
    else if (transfer !== undefined) found.transfers.set(transfer, parseTransfer(transfer, await redis.hgetall(key)));
    else if (backend !== undefined) found.allocated.set(backend, Number(await redis.hget(key, 'allocatedBytes')));
    else if (name.startsWith('quota:'))
      found.used.set(name.slice('quota:'.length), Number((await redis.hget(key, 'usedBytes')) ?? 0));
    else if (name.startsWith('topic:')) found.topics.push(name.slice('topic:'.length));
    else if (type === 'zset') found.sets.set(name, await redis.zrange(key, '0', '-1'));
    else if (/^(migration|former|job):/.test(name))
      found.unknown.push(name); // of something that is under way
    else if (
      !/^((type|group|group-type|qos-spec|user|project|assignment|application-credential|token|sign-in-failures):[^:]+|default-type:.+|aoe:shelf-owners|events|replicated|node:[^:]+(:lease)?)$/.test(
        name,
      )
    )
      found.unknown.push(name);
  }
  return found;
}

/** All or none: the snapshots of one have its status. */
function groupSnapshotProblems({ id, status }: GroupSnapshotState, { snapshots }: Found): string[] {
  const members = [...snapshots.values()].filter((one) => one.groupSnapshot === id);
  const others = members.filter((one) => one.status !== status);
  return [
    ...(status === 'creating' || status === 'deleting' ? [`group snapshot ${id} is ${status}`] : []),
    ...others.map((one) => `snapshot ${one.id} is ${one.status}, its group snapshot ${id} is ${status}`),
  ];
}

function recordProblems(volume: VolumeState, { sets, transfers, attachments }: Found): string[] {
  const { id, name, node, projectId, status, task, transfer } = volume;
  const lost = volume.attachments.filter((one) => attachments.get(one)?.volume !== id);
  const missing = (set: string, member = id) =>
    sets.get(set)?.includes(member) ? [] : [`volume ${id} is not in ${set}`];
  const conflict = contradiction(volume);
  return [
    ...(task ? [`volume ${id} is ${status}, ${volume.attachStatus}`] : []),
    ...(conflict === undefined ? [] : [`volume ${id} ${conflict}`]),
    ...(node === '' ? [`volume ${id} is of no node`] : missing(`node:${node}:volumes`)),
    ...missing('volumes'),
    ...missing('volume-ids'),
    ...missing(`project:${projectId}:volumes`),
    ...(volume.fault ? missing(`project:${projectId}:faults`) : []),
    ...(volume.lender === '' ? [] : missing(`node:${volume.lender}:lent`)),
    ...(volume.lender === '' || volume.attachStatus !== 'detached' || /^error(_deleting)?$/.test(status)
      ? []
      : [`volume ${id} is not attached, and ${volume.lender} lends it an address`]),
    ...(transfer === '' ? [] : missing(`node:${node}:transfers`)),
    ...(transfer === '' || transfers.has(transfer) ? [] : [`volume ${id} awaits a transfer that has no record`]),
    ...(name === '' ? [] : missing('volume-names', `${name}\0${id}`)),
    ...lost.map((one) => `volume ${id} has an attachment ${one} without a record`),
  ];
}

/** Its volume has it, and is attached by it, or keeps itself for it. */
function attachmentProblems(attachment: AttachmentState, { sets, records }: Found): string[] {
  const { id, volume: of, status } = attachment;
  const volume = records.get(of);
  if (!volume?.attachments.includes(id)) return [`attachment ${id} is of volume ${of}, which does not have it`];
  const indexes = setsOfAttachment(attachment);
  const isActive = status === 'attached' || status === 'connecting';
  return [
    ...indexes.flatMap((set) => (sets.get(set)?.includes(id) ? [] : [`attachment ${id} is not in ${set}`])),
    ...(isActive || status === 'reserved' ? [] : [`attachment ${id} is ${status}`]),
    ...(isActive && volume.attachStatus !== 'attached' ? [`attachment ${id} of a detached volume is ${status}`] : []),
  ];
}

const otherSets =
  /^(nodes|quotas|types|type-ids|type-names|type-name:.+|type:[^:]+:default-of|default-types|qos-specs|qos-spec-name:.+|qos-spec:[^:]+:types|free-space|shared:.+|catching-up|aoe:shelves|node:[^:]+:(shelves|quarantine|backends))$/;
const groupSets =
  /^(groups|group-ids|group-names|group-types|group-type-name:.+|group-type:[^:]+:groups|project:.+:groups|group-snapshots|group-snapshot-ids|group-snapshot-names|(project|group):.+:group-snapshots)$/s;
const identitySets =
  /^(users|projects|assignments|application-credentials|tokens|sign-in-failures|(user|project|application-credential)-name:.+|(user|project):[^:]+:(assignments|application-credentials|tokens))$/s;

function setsOfAttachment({ projectId, volume }: AttachmentState): string[] {
  return ['attachments', `project:${projectId}:attachments`, `volume:${volume}:attachments`];
}

/** Nothing is under way for it, and it is where it can be found. */
function snapshotProblems(snapshot: SnapshotState, { sets, records }: Found): string[] {
  const { id, status, volume } = snapshot;
  const isUnderWay = status === 'creating' || status === 'deleting';
  const missing = setsOfSnapshot(snapshot).filter(([set, member]) => !sets.get(set)?.includes(member));
  return [
    ...(isUnderWay ? [`snapshot ${id} is ${status}`] : []),
    ...(records.has(volume) ? [] : [`snapshot ${id} is of volume ${volume}, which has no record`]),
    ...missing.map(([set]) => `snapshot ${id} is not in ${set}`),
  ];
}

function setsOfSnapshot({
  id,
  name,
  volume,
  projectId,
  groupSnapshot,
}: SnapshotState): [set: string, member: string][] {
  const sets = ['snapshots', 'snapshot-ids', `project:${projectId}:snapshots`, `volume:${volume}:snapshots`];
  return [
    ...sets.map((set): [string, string] => [set, id]),
    ...(groupSnapshot === '' ? [] : [[`group-snapshot:${groupSnapshot}:snapshots`, id] satisfies [string, string]]),
    ...(name === '' ? [] : [['snapshot-names', `${name}\0${id}`] satisfies [string, string]]),
  ];
}

/** Its volume awaits it, and it is where it can be found. */
function transferProblems(transfer: TransferState, { sets, records }: Found): string[] {
  const { id, volume } = transfer;
  const missing = setsOfTransfer(transfer).filter(([set, member]) => !sets.get(set)?.includes(member));
  return [
    ...(records.get(volume)?.transfer === id ? [] : [`transfer ${id} is of volume ${volume}, which does not await it`]),
    ...missing.map(([set]) => `transfer ${id} is not in ${set}`),
  ];
}

function setsOfTransfer({ id, name, projectId }: TransferState): [set: string, member: string][] {
  const sets = ['transfers', 'transfer-ids', `project:${projectId}:transfers`];
  return [
    ...sets.map((set): [string, string] => [set, id]),
    ...(name === '' ? [] : [['transfer-names', `${name}\0${id}`] satisfies [string, string]]),
  ];
}

const transferSets = /^(transfers|transfer-ids|transfer-names|project:.+:transfers)$/s;

const snapshotSets =
  /^(snapshots|snapshot-ids|snapshot-names|project:.+:snapshots|(volume|group-snapshot):[^:]+:snapshots)$/s;

function indexProblems({ records, snapshots, attachments, transfers, sets }: Found): string[] {
  const ofOthers = new Set(
    [...[...snapshots.values()].flatMap(setsOfSnapshot), ...[...transfers.values()].flatMap(setsOfTransfer)].map(
      ([set, member]) => `${set} ${member}`,
    ),
  );
  return [...sets].flatMap(([set, members]) => {
    if (otherSets.test(set) || identitySets.test(set) || groupSets.test(set)) return [];
    if (/(^|:)attachments$/.test(set)) {
      const isOf = (member: string) => {
        const attachment = attachments.get(member);
        return attachment !== undefined && setsOfAttachment(attachment).includes(set);
      };
      const stray = members.filter((member) => !isOf(member));
      return stray.map((member) => `${set} has ${JSON.stringify(member)}, which does not belong there`);
    }
    if (set.endsWith(':copies')) return members.map((id) => `volume ${id} is in ${set}`);
    if (snapshotSets.test(set) || transferSets.test(set)) {
      const stray = members.filter((member) => !ofOthers.has(`${set} ${member}`));
      return stray.map((member) => `${set} has ${JSON.stringify(member)}, which does not belong there`);
    }
    if (/:(tasks|abandoned|migrations|former|jobs)$/.test(set)) return members.map((id) => `volume ${id} is in ${set}`);
    return members.flatMap((member) => {
      const volume = records.get(set === 'volume-names' ? (member.split('\0')[1] ?? '') : member);
      if (!volume) return [`${set} has ${JSON.stringify(member)}, which has no record`];
      const belongs =
        set === 'volume-names' ? `${volume.name}\0${volume.id}` === member : ownSets(volume).includes(set);
      return belongs ? [] : [`${set} has ${JSON.stringify(member)}, which does not belong there`];
    });
  });
}

function ownSets({ node, lender, projectId, transfer, type, group, fault }: VolumeState): string[] {
  const lent = lender === '' ? [] : [`node:${lender}:lent`];
  const offered = transfer === '' ? [] : [`node:${node}:transfers`];
  const ofType = type === '' ? [] : [`type:${type}:volumes`];
  const failed = fault ? [`project:${projectId}:faults`] : [];
  return [
    'volumes',
    'volume-ids',
    `node:${node}:volumes`,
    ...lent,
    `project:${projectId}:volumes`,
    ...offered,
    ...ofType,
    ...(group === '' ? [] : [`group:${group}:volumes`]),
    ...failed,
  ];
}

/** An address is of one volume, and its shelf of that volume's node; the three records of shelves agree. */
function addressProblems({ records, sets, shelfOwners }: Found): string[] {
  const problems: string[] = [];
  const users = new Map<string, string>();
  for (const { id, address, node, lender } of records.values()) {
    if (address === '') continue;
    const other = users.get(address);
    if (other !== undefined) problems.push(`address ${address} is of volumes ${other} and ${id}`);
    users.set(address, id);
    if (tryParseAddress(address) === undefined) continue;
    const owner = shelfOwners.get(String(shelfOf(address)));
    if (owner !== (lender === '' ? node : lender))
      problems.push(`volume ${id} of ${node} has ${address}, on a shelf of ${owner ?? 'nobody'}`);
  }
  for (const [shelf, owner] of shelfOwners) {
    for (const set of ['aoe:shelves', `node:${owner}:shelves`]) {
      if (!sets.get(set)?.includes(shelf)) problems.push(`shelf ${shelf} of ${owner} is not in ${set}`);
    }
  }
  return problems;
}

function allocationProblems({ records, allocated }: Found): string[] {
  const sums = new Map<string, number>();
  for (const { node, backend, size, isSent } of records.values()) {
    if (isSent) continue;
    const id = `${node}@${backend}`;
    sums.set(id, (sums.get(id) ?? 0) + sizeInBytes(size));
  }
  return [...new Set([...sums.keys(), ...allocated.keys()])].flatMap((id) => {
    const [sum = 0, counter = 0] = [sums.get(id), allocated.get(id)];
    return sum === counter ? [] : [`backend ${id} counts ${counter} bytes as allocated, its volumes have ${sum}`];
  });
}

function usageProblems({ records, snapshots, used }: Found): string[] {
  const sums = new Map<string, number>();
  for (const { projectId, size, newSize = size } of [
    ...records.values(),
    ...[...snapshots.values()].map(({ projectId: project, size: ofIt }) => ({
      projectId: project,
      size: ofIt,
      newSize: ofIt,
    })),
  ]) {
    sums.set(projectId, (sums.get(projectId) ?? 0) + sizeInBytes(newSize));
  }
  return [...new Set([...sums.keys(), ...used.keys()])]
    .filter((project) => (sums.get(project) ?? 0) !== (used.get(project) ?? 0))
    .map((project) => `project ${project} has ${sums.get(project) ?? 0} bytes, and ${used.get(project) ?? 0} counted`);
}

async function topicProblems(store: Store, topics: readonly string[]): Promise<string[]> {
  const { redis, keys } = store;
  const problems = await Promise.all(
    topics.map(async (topic) => {
      const left = await redis.xlen(keys.topic(topic));
      return left === 0 ? [] : [`topic ${topic} has ${left} commands that nobody reads`];
    }),
  );
  return problems.flat();
}

function storageProblems(storage: NodeStorage, records: ReadonlyMap<string, VolumeState>): string[] {
  const { node, volumes, exports, exportsUnattached = false, leftovers = [] } = storage;
  const stored = new Map(volumes.map((volume) => [volume.id, volume]));
  const problems = leftovers.map((leftover) => `${node} has ${leftover}`);
  for (const { id, labels } of volumes) {
    const record = records.get(id);
    const label = labels['address'];
    if (record?.node !== node) problems.push(`${node} has storage of volume ${id}, which has no record there`);
    else if (record.status === 'error') problems.push(`${node} has storage of volume ${id}, which is in error`);
    else if (label !== undefined && label !== record.address)
      problems.push(`volume ${id}, ${record.address || 'without an address'}, is labelled ${label}`);
  }
  for (const [id, count] of countBy(volumes.map((volume) => volume.id)))
    if (count > 1) problems.push(`${node} has storage of volume ${id} on ${count} backends`);
  for (const [place, count] of countBy(exports?.map(({ id, address }) => `${id} ${address}`) ?? [])) {
    const record = records.get(place.split(' ')[0] ?? '');
    const isRight = record?.node === node && place === `${record.id} ${record.address}`;
    if (!isRight) problems.push(`${node} exports ${place}, which has no record there`);
    else if (!exportsUnattached && record.attachStatus === 'detached')
      problems.push(`${node} exports ${place}, which is not attached`);
    if (count > 1) problems.push(`${node} exports ${place} ${count} times`);
  }
  for (const { id, size, status, attachStatus, node: owner } of records.values()) {
    if (owner !== node || status === 'error') continue;
    const { sizeBytes = 0 } = stored.get(id) ?? {};
    // A failed extension may have grown it: its repetition records that.
    const hasGrown = status === 'error_extending' && sizeBytes > sizeInBytes(size);
    if (!hasGrown && !hasSizeOf(sizeBytes, sizeInBytes(size)))
      problems.push(`volume ${id}, ${status}, has ${sizeBytes} bytes, not ${size} GiB`);
    const isWanted = exportsUnattached || attachStatus === 'attached';
    if (exports && isWanted && !exports.some((one) => one.id === id))
      problems.push(`volume ${id}, ${status}, is not exported`);
  }
  return problems;
}

function storedSnapshotProblems({ node, snapshots }: NodeStorage, found: Found): string[] {
  if (!snapshots) return [];
  const stored = new Set(snapshots.map(({ id }) => id));
  const strays = [...stored].filter((id) => !found.snapshots.has(id));
  const own = [...found.snapshots.values()].filter(({ volume }) => found.records.get(volume)?.node === node);
  const lost = own.filter(({ id, status }) => status === 'available' && !stored.has(id));
  const failed = own.filter(({ id, status }) => status === 'error' && stored.has(id));
  return [
    ...strays.map((id) => `${node} has storage of snapshot ${id}, which has no record`),
    ...lost.map(({ id }) => `snapshot ${id} has no storage`),
    ...failed.map(({ id }) => `${node} has storage of snapshot ${id}, which is in error`),
  ];
}

function countBy(values: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}
