import { identityKinds } from './identity-kinds.ts';

/**
 * Every kind of record: its key, its indexes and its sums. The script `commit` keeps indexes and sums from this table, so that no
 * other code writes them. Templates name fields of the record in braces; `{id}` is the record's id.
 */
export interface RecordKind {
  /** Template of the record's key, after the prefix. */
  readonly key: string;
  readonly indexes: readonly Index[];
  readonly sums?: readonly Sum[];
}

/** A sorted set that has the record as long as the record has every field that the index names. */
export interface Index {
  /** Template of the sorted set's key, after the prefix. */
  readonly key: string;
  /** Template; default: the id. */
  readonly member?: string;
  /** A field of the record, or `now`: the time of the entry's making in ms; default: every score is 0. */
  readonly score?: { readonly field: string } | 'now';
  /** A further field that the record must have. */
  readonly when?: string;
}

/** A counter in another record: the sum of the sizes, in bytes, of all records that name it. The `newSize` of one that has it counts. */
export interface Sum {
  /** Template of the other record's key, after the prefix. */
  readonly key: string;
  readonly field: string;
  /** It takes from the free space of a backend. Without, the counter goes when it is 0. */
  readonly isAllocation?: true;
  /** A field of records that do not count. */
  readonly unless?: string;
}

const allocation: Sum = { key: 'backend:{node}@{backend}', field: 'allocatedBytes', isAllocation: true };
const usage: Sum = { key: 'quota:{projectId}', field: 'usedBytes' };

const volumeIndexes: readonly Index[] = [
  { key: 'volumes', score: { field: 'createTime' } },
  { key: 'volume-ids' },
  { key: 'volume-names', member: '{name}\0{id}' },
  { key: 'project:{projectId}:volumes', score: { field: 'createTime' } },
  { key: 'node:{node}:volumes', score: { field: 'createTime' } },
  { key: 'node:{node}:tasks', when: 'task', score: 'now' },
  { key: 'node:{lender}:lent' },
  { key: 'node:{node}:transfers', when: 'transfer', score: { field: 'transferExpires' } },
  { key: 'snapshot:{fromSnapshot}:copies', when: 'copying' },
  { key: 'volume:{fromVolume}:copies', when: 'copying' },
  { key: 'type:{type}:volumes', score: { field: 'createTime' } },
  { key: 'group:{group}:volumes', score: { field: 'createTime' } },
  { key: 'project:{projectId}:faults', when: 'fault', score: { field: 'createTime' } },
];

const snapshotIndexes: readonly Index[] = [
  { key: 'snapshots', score: { field: 'createTime' } },
  { key: 'snapshot-ids' },
  { key: 'snapshot-names', member: '{name}\0{id}' },
  { key: 'project:{projectId}:snapshots', score: { field: 'createTime' } },
  { key: 'volume:{volume}:snapshots', score: { field: 'createTime' } },
  { key: 'group-snapshot:{groupSnapshot}:snapshots', score: { field: 'createTime' } },
];

const attachmentIndexes: readonly Index[] = [
  { key: 'attachments', score: { field: 'createTime' } },
  { key: 'project:{projectId}:attachments', score: { field: 'createTime' } },
  { key: 'volume:{volume}:attachments', score: { field: 'createTime' } },
];

const transferIndexes: readonly Index[] = [
  { key: 'transfers', score: { field: 'createTime' } },
  { key: 'transfer-ids' },
  { key: 'transfer-names', member: '{name}\0{id}' },
  { key: 'project:{projectId}:transfers', score: { field: 'createTime' } },
];

const typeIndexes: readonly Index[] = [
  { key: 'types', score: { field: 'createTime' } },
  { key: 'type-ids' },
  { key: 'type-names', member: '{name}\0{id}' },
  { key: 'type-name:{name}' },
  { key: 'qos-spec:{qosSpec}:types', score: { field: 'createTime' } },
];

const groupIndexes: readonly Index[] = [
  { key: 'groups', score: { field: 'createTime' } },
  { key: 'group-ids' },
  { key: 'group-names', member: '{name}\0{id}' },
  { key: 'project:{projectId}:groups', score: { field: 'createTime' } },
  { key: 'group-type:{type}:groups', score: { field: 'createTime' } },
];

const groupSnapshotIndexes: readonly Index[] = [
  { key: 'group-snapshots', score: { field: 'createTime' } },
  { key: 'group-snapshot-ids' },
  { key: 'group-snapshot-names', member: '{name}\0{id}' },
  { key: 'project:{projectId}:group-snapshots', score: { field: 'createTime' } },
  { key: 'group:{group}:group-snapshots', score: { field: 'createTime' } },
];

export const kinds = {
  volume: {
    key: 'volume:{id}',
    indexes: volumeIndexes,
    sums: [{ ...allocation, unless: 'sent' }, usage],
  },
  /** A volume that was deleted while its node was lost; the node removes its storage when it returns. */
  abandoned: {
    key: 'abandoned:{id}',
    indexes: [
      { key: 'node:{node}:abandoned', score: { field: 'createTime' } },
      { key: 'node:{lender}:lent-abandoned' },
    ],
  },
  /** The move of a volume to a backend of `node`, which receives its data. */
  migration: {
    key: 'migration:{id}',
    indexes: [{ key: 'node:{node}:migrations', score: { field: 'createTime' } }],
    sums: [allocation],
  },
  /** Storage that a volume has left with a migration: its node removes it. */
  former: {
    key: 'former:{id}',
    indexes: [{ key: 'node:{node}:former', score: { field: 'createTime' } }],
    sums: [allocation],
  },
  /** Storage of a lost node without which a migration was completed: the node labels it as left when it returns. */
  superseded: {
    key: 'superseded:{id}',
    indexes: [{ key: 'node:{node}:superseded', score: { field: 'createTime' } }],
  },
  /** What reads a snapshot for long, on its node. */
  job: {
    key: 'job:{id}',
    indexes: [{ key: 'node:{node}:jobs', score: { field: 'createTime' } }, { key: 'snapshot:{snapshot}:jobs' }],
  },
  snapshot: { key: 'snapshot:{id}', indexes: snapshotIndexes, sums: [usage] },
  /** What a host has a volume by, or is to have it by. */
  attachment: { key: 'attachment:{id}', indexes: attachmentIndexes },
  /** A volume that is offered to another project. */
  transfer: { key: 'transfer:{id}', indexes: transferIndexes },
  /** Volumes of one backend whose snapshots can be of the same moment. */
  group: { key: 'group:{id}', indexes: groupIndexes },
  /** Snapshots of all volumes of a group, of one moment. */
  'group-snapshot': { key: 'group-snapshot:{id}', indexes: groupSnapshotIndexes },
  /** What volumes of a kind require of their backends. */
  type: { key: 'type:{id}', indexes: typeIndexes },
  'group-type': {
    key: 'group-type:{id}',
    indexes: [{ key: 'group-types', score: { field: 'createTime' } }, { key: 'group-type-name:{name}' }],
  },
  /** How much of their volumes the hosts can use, for the types that name it. */
  'qos-spec': {
    key: 'qos-spec:{id}',
    indexes: [{ key: 'qos-specs', score: { field: 'createTime' } }, { key: 'qos-spec-name:{name}' }],
  },
  /** The type of new volumes of a project, by its name. */
  'default-type': {
    key: 'default-type:{id}',
    indexes: [
      { key: 'default-types', score: { field: 'createTime' } },
      { key: 'type:{type}:default-of', score: { field: 'createTime' } },
    ],
  },
  /** What a project may have, by its name, and how many bytes it has. Those with limits have a creation time. */
  quota: { key: 'quota:{id}', indexes: [{ key: 'quotas', when: 'createTime', score: { field: 'createTime' } }] },
  node: { key: 'node:{id}', indexes: [{ key: 'nodes', score: { field: 'createTime' } }] },
  ...identityKinds,
  /** Storage of a node: its id is `node@name`. */
  backend: { key: 'backend:{id}', indexes: [{ key: 'node:{node}:backends' }, { key: 'shared:{shared}' }] },
} as const satisfies Record<string, RecordKind>;

export type KindName = keyof typeof kinds;
export const kindNames: readonly KindName[] = [
  'volume',
  'abandoned',
  'migration',
  'former',
  'superseded',
  'job',
  'snapshot',
  'attachment',
  'transfer',
  'group',
  'group-snapshot',
  'group-type',
  'type',
  'qos-spec',
  'default-type',
  'quota',
  'node',
  'user',
  'project',
  'assignment',
  'application-credential',
  'token',
  'sign-in-failures',
  'backend',
];
