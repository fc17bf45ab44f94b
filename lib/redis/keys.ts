/**
 * Every key name there is, besides the kinds of records (lib/models/kinds.ts). All begin with one hash tag, so that one script
 * may touch any of them on Redis Cluster. Scripts get the same names as Lua functions (`key_volume(id)`), made from the same table.
 */
const names = {
  /** hash: a volume's record */
  volume: (id: string) => `volume:${id}`,
  /** sorted set, by creation time (ms): every volume's id */
  volumes: () => 'volumes',
  /** sorted set, by creation time: ids of a node's volumes */
  nodeVolumes: (node: string) => `node:${node}:volumes`,
  /** sorted set, by creation time: ids of a project's volumes */
  projectVolumes: (project: string) => `project:${project}:volumes`,
  /** sorted set, by creation time: ids of a project's volumes that have a fault */
  projectFaults: (project: string) => `project:${project}:faults`,
  /** sorted set of one score: every volume's id, to find one by its beginning */
  volumeIds: () => 'volume-ids',
  /** sorted set of one score: name, a zero byte, id */
  volumeNames: () => 'volume-names',
  /** sorted set, by the time (ms) at which the task began: volumes of a node that have a task */
  tasks: (node: string) => `node:${node}:tasks`,
  /** hash: the record of a volume that was deleted while its node was lost */
  abandoned: (id: string) => `abandoned:${id}`,
  /** sorted set, by creation time: such volumes of a node */
  nodeAbandoned: (node: string) => `node:${node}:abandoned`,
  /** hash: the record of a migration */
  migration: (id: string) => `migration:${id}`,
  /** sorted set, by creation time: migrations to a node */
  nodeMigrations: (node: string) => `node:${node}:migrations`,
  /** hash: the record of storage that a volume has left with a migration */
  former: (id: string) => `former:${id}`,
  /** sorted set, by creation time: such storage of a node */
  nodeFormer: (node: string) => `node:${node}:former`,
  /** hash: the record of storage of a lost node that a volume has left without it */
  superseded: (id: string) => `superseded:${id}`,
  /** sorted set, by creation time: such storage of a node */
  nodeSuperseded: (node: string) => `node:${node}:superseded`,
  /** hash: the record of a job, which reads a snapshot */
  job: (id: string) => `job:${id}`,
  /** sorted set, by creation time: jobs of a node */
  nodeJobs: (node: string) => `node:${node}:jobs`,
  /** sorted set of one score: jobs that read a snapshot */
  snapshotJobs: (snapshot: string) => `snapshot:${snapshot}:jobs`,
  /** hash: a snapshot's record */
  snapshot: (id: string) => `snapshot:${id}`,
  /** sorted set, by creation time: every snapshot's id */
  snapshots: () => 'snapshots',
  /** sorted set, by creation time: ids of a volume's snapshots */
  volumeSnapshots: (volume: string) => `volume:${volume}:snapshots`,
  /** sorted set, by creation time: ids of a project's snapshots */
  projectSnapshots: (project: string) => `project:${project}:snapshots`,
  /** sorted set of one score: every snapshot's id, to find one by its beginning */
  snapshotIds: () => 'snapshot-ids',
  /** sorted set of one score: name, a zero byte, id */
  snapshotNames: () => 'snapshot-names',
  /** sorted sets of one score: volumes that a snapshot, or a volume, is being copied to */
  snapshotCopies: (id: string) => `snapshot:${id}:copies`,
  volumeCopies: (id: string) => `volume:${id}:copies`,
  /** hash: an attachment's record */
  attachment: (id: string) => `attachment:${id}`,
  /** sorted set, by creation time: every attachment's id */
  attachments: () => 'attachments',
  /** sorted set, by creation time: attachments of a project's volumes */
  projectAttachments: (project: string) => `project:${project}:attachments`,
  /** sorted set, by creation time: attachments of a volume */
  volumeAttachments: (volume: string) => `volume:${volume}:attachments`,
  /** hash: a transfer's record */
  transfer: (id: string) => `transfer:${id}`,
  /** sorted set, by creation time: every transfer's id */
  transfers: () => 'transfers',
  /** sorted set, by creation time: transfers that a project offers */
  projectTransfers: (project: string) => `project:${project}:transfers`,
  /** sorted set of one score: every transfer's id, to find one by its beginning */
  transferIds: () => 'transfer-ids',
  /** sorted set of one score: name, a zero byte, id */
  transferNames: () => 'transfer-names',
  /** sorted set, by the time (ms) at which their transfers expire: volumes of a node that await a transfer */
  nodeTransfers: (node: string) => `node:${node}:transfers`,
  /** sorted set of one score: volumes of other nodes that have addresses of this node's shelves */
  nodeLent: (node: string) => `node:${node}:lent`,
  /** sorted set of one score: the same of volumes that were deleted while their node was lost */
  nodeLentAbandoned: (node: string) => `node:${node}:lent-abandoned`,
  /** hash: a group of volumes */
  group: (id: string) => `group:${id}`,
  /** sorted set, by creation time: every group's id */
  groups: () => 'groups',
  /** sorted set, by creation time: groups of a project */
  projectGroups: (project: string) => `project:${project}:groups`,
  /** sorted set of one score: every group's id, to find one by its beginning */
  groupIds: () => 'group-ids',
  /** sorted set of one score: name, a zero byte, id */
  groupNames: () => 'group-names',
  /** sorted set, by creation time: volumes of a group */
  groupVolumes: (id: string) => `group:${id}:volumes`,
  /** hash: a type of groups */
  groupType: (id: string) => `group-type:${id}`,
  /** sorted set, by creation time: every group type's id */
  groupTypes: () => 'group-types',
  /** sorted set of one score: the group type of that name */
  groupTypeName: (name: string) => `group-type-name:${name}`,
  /** sorted set, by creation time: groups of a type */
  groupTypeGroups: (id: string) => `group-type:${id}:groups`,
  /** hash: a group snapshot */
  groupSnapshot: (id: string) => `group-snapshot:${id}`,
  /** sorted set, by creation time: every group snapshot's id */
  groupSnapshots: () => 'group-snapshots',
  /** sorted set, by creation time: group snapshots of a project */
  projectGroupSnapshots: (project: string) => `project:${project}:group-snapshots`,
  /** sorted set, by creation time: group snapshots of a group */
  snapshotsOfGroup: (group: string) => `group:${group}:group-snapshots`,
  /** sorted set of one score: every group snapshot's id, to find one by its beginning */
  groupSnapshotIds: () => 'group-snapshot-ids',
  /** sorted set of one score: name, a zero byte, id */
  groupSnapshotNames: () => 'group-snapshot-names',
  /** sorted set, by creation time: snapshots of a group snapshot */
  groupSnapshotMembers: (id: string) => `group-snapshot:${id}:snapshots`,
  /** hash: a type of volumes */
  type: (id: string) => `type:${id}`,
  /** sorted set, by creation time: every type's id */
  types: () => 'types',
  /** sorted set of one score: every type's id, to find one by its beginning */
  typeIds: () => 'type-ids',
  /** sorted set of one score: name, a zero byte, id */
  typeNames: () => 'type-names',
  /** sorted set, by creation time: volumes of a type */
  typeVolumes: (id: string) => `type:${id}:volumes`,
  /** sorted set, by creation time: projects whose new volumes have the type */
  typeDefaultOf: (id: string) => `type:${id}:default-of`,
  /** hash: a QoS spec */
  qosSpec: (id: string) => `qos-spec:${id}`,
  /** sorted set, by creation time: every QoS spec's id */
  qosSpecs: () => 'qos-specs',
  /** sorted set, by creation time: types with a QoS spec */
  qosSpecTypes: (id: string) => `qos-spec:${id}:types`,
  /** hash: the type of new volumes of a project */
  defaultType: (project: string) => `default-type:${project}`,
  /** sorted set, by creation time: projects with such a type */
  defaultTypes: () => 'default-types',
  /** hash: what a project may have, and the bytes that it has; of '*': what one may have that has no limits of its own */
  quota: (project: string) => `quota:${project}`,
  /** sorted set, by creation time: projects with limits */
  quotas: () => 'quotas',
  /** hash: a user's record */
  user: (id: string) => `user:${id}`,
  /** sorted set, by creation time: every user's id */
  users: () => 'users',
  /** sorted set of one score: the user of that name */
  userNamed: (name: string) => `user-name:${name}`,
  /** sorted set, by creation time: in which projects a user has roles */
  userAssignments: (user: string) => `user:${user}:assignments`,
  /** sorted set, by creation time: application credentials of a user */
  userCredentials: (user: string) => `user:${user}:application-credentials`,
  /** sorted set, by the time (ms) at which they expire: tokens of a user */
  userTokens: (user: string) => `user:${user}:tokens`,
  /** hash: a project's record */
  project: (id: string) => `project:${id}`,
  /** sorted set, by creation time: every project's id */
  projects: () => 'projects',
  /** sorted set of one score: the project of that name */
  projectNamed: (name: string) => `project-name:${name}`,
  /** sorted set, by creation time: users with roles in a project */
  projectAssignments: (project: string) => `project:${project}:assignments`,
  /** sorted set, by creation time: application credentials for a project */
  projectCredentials: (project: string) => `project:${project}:application-credentials`,
  /** hash: the roles of a user in a project, by the ids of both */
  assignment: (id: string) => `assignment:${id}`,
  /** sorted set, by creation time: every such record */
  assignments: () => 'assignments',
  /** hash: an application credential */
  credential: (id: string) => `application-credential:${id}`,
  /** hash: a token, by its hash */
  token: (id: string) => `token:${id}`,
  /** sorted set, by the time (ms) at which they expire: every token */
  tokens: () => 'tokens',
  /** hash: failures to sign in with one name, or from one address */
  signInFailures: (id: string) => `sign-in-failures:${id}`,
  /** sorted set, by the time (ms) at which they are forgotten: every such record */
  allSignInFailures: () => 'sign-in-failures',
  /** hash: a node's record */
  node: (node: string) => `node:${node}`,
  /** sorted set, by time of the first start: names of nodes */
  nodes: () => 'nodes',
  /** string with time to live: the holder of a node name; it exists while the node is up */
  lease: (node: string) => `node:${node}:lease`,
  /** hash: a backend's record, by `node@backend` */
  backend: (id: string) => `backend:${id}`,
  /** sorted set of one score: a node's backends, as `node@backend` */
  nodeBackends: (node: string) => `node:${node}:backends`,
  /** sorted set of one score: backends on one shared storage, by its identity */
  sharing: (identity: string) => `shared:${identity}`,
  /** sorted set, by free space in bytes: backends that accept volumes */
  freeSpace: () => 'free-space',
  /** sorted set, by number: AoE shelves that a node owns */
  shelves: () => 'aoe:shelves',
  /** hash: AoE shelf -> node */
  shelfOwners: () => 'aoe:shelf-owners',
  /** sorted set, by number: AoE shelves of one node */
  nodeShelves: (node: string) => `node:${node}:shelves`,
  /** sorted set, by the time (ms) of their release: addresses of a node that are in quarantine */
  quarantine: (node: string) => `node:${node}:quarantine`,
  /** sorted set, by the time (ms) at which their place ends: nodes that compare records and storage after a loss of Redis */
  catchingUp: () => 'catching-up',
  /** stream of the last 10,000: what began and ended, see lib/models/event.ts */
  events: () => 'events',
  /** stream: commands to a node */
  topic: (topic: string) => `topic:${topic}`,
  /** channel: replies to one requester */
  replies: (requester: string) => `replies:${requester}`,
  /** string: what a connection writes before it waits for replicas */
  replicated: () => 'replicated',
  /** never exists: commands are tried on it, before a script changes anything, and by the doctor */
  access: () => 'access',
};

type Names = typeof names;
export type Keys = { readonly [Name in keyof Names]: (...parts: Parameters<Names[Name]>) => string } & {
  /** What every key begins with; the one KEYS entry of every script. */
  readonly prefix: string;
};

export function makeKeys(prefix: string): Keys {
  const tag = `{${prefix}}:`;
  return {
    prefix: tag,
    volume: (id) => tag + names.volume(id),
    volumes: () => tag + names.volumes(),
    nodeVolumes: (node) => tag + names.nodeVolumes(node),
    projectVolumes: (project) => tag + names.projectVolumes(project),
    projectFaults: (project) => tag + names.projectFaults(project),
    volumeIds: () => tag + names.volumeIds(),
    volumeNames: () => tag + names.volumeNames(),
    tasks: (node) => tag + names.tasks(node),
    abandoned: (id) => tag + names.abandoned(id),
    nodeAbandoned: (node) => tag + names.nodeAbandoned(node),
    migration: (id) => tag + names.migration(id),
    nodeMigrations: (node) => tag + names.nodeMigrations(node),
    former: (id) => tag + names.former(id),
    nodeFormer: (node) => tag + names.nodeFormer(node),
    superseded: (id) => tag + names.superseded(id),
    nodeSuperseded: (node) => tag + names.nodeSuperseded(node),
    job: (id) => tag + names.job(id),
    nodeJobs: (node) => tag + names.nodeJobs(node),
    snapshotJobs: (snapshot) => tag + names.snapshotJobs(snapshot),
    snapshot: (id) => tag + names.snapshot(id),
    snapshots: () => tag + names.snapshots(),
    volumeSnapshots: (volume) => tag + names.volumeSnapshots(volume),
    projectSnapshots: (project) => tag + names.projectSnapshots(project),
    snapshotIds: () => tag + names.snapshotIds(),
    snapshotNames: () => tag + names.snapshotNames(),
    snapshotCopies: (id) => tag + names.snapshotCopies(id),
    volumeCopies: (id) => tag + names.volumeCopies(id),
    attachment: (id) => tag + names.attachment(id),
    attachments: () => tag + names.attachments(),
    projectAttachments: (project) => tag + names.projectAttachments(project),
    volumeAttachments: (volume) => tag + names.volumeAttachments(volume),
    transfer: (id) => tag + names.transfer(id),
    transfers: () => tag + names.transfers(),
    projectTransfers: (project) => tag + names.projectTransfers(project),
    transferIds: () => tag + names.transferIds(),
    transferNames: () => tag + names.transferNames(),
    nodeTransfers: (node) => tag + names.nodeTransfers(node),
    nodeLent: (node) => tag + names.nodeLent(node),
    nodeLentAbandoned: (node) => tag + names.nodeLentAbandoned(node),
    group: (id) => tag + names.group(id),
    groups: () => tag + names.groups(),
    projectGroups: (project) => tag + names.projectGroups(project),
    groupIds: () => tag + names.groupIds(),
    groupNames: () => tag + names.groupNames(),
    groupVolumes: (id) => tag + names.groupVolumes(id),
    groupType: (id) => tag + names.groupType(id),
    groupTypes: () => tag + names.groupTypes(),
    groupTypeName: (name) => tag + names.groupTypeName(name),
    groupTypeGroups: (id) => tag + names.groupTypeGroups(id),
    groupSnapshot: (id) => tag + names.groupSnapshot(id),
    groupSnapshots: () => tag + names.groupSnapshots(),
    projectGroupSnapshots: (project) => tag + names.projectGroupSnapshots(project),
    snapshotsOfGroup: (group) => tag + names.snapshotsOfGroup(group),
    groupSnapshotIds: () => tag + names.groupSnapshotIds(),
    groupSnapshotNames: () => tag + names.groupSnapshotNames(),
    groupSnapshotMembers: (id) => tag + names.groupSnapshotMembers(id),
    type: (id) => tag + names.type(id),
    types: () => tag + names.types(),
    typeIds: () => tag + names.typeIds(),
    typeNames: () => tag + names.typeNames(),
    typeVolumes: (id) => tag + names.typeVolumes(id),
    typeDefaultOf: (id) => tag + names.typeDefaultOf(id),
    qosSpec: (id) => tag + names.qosSpec(id),
    qosSpecs: () => tag + names.qosSpecs(),
    qosSpecTypes: (id) => tag + names.qosSpecTypes(id),
    defaultType: (project) => tag + names.defaultType(project),
    defaultTypes: () => tag + names.defaultTypes(),
    quota: (project) => tag + names.quota(project),
    quotas: () => tag + names.quotas(),
    user: (id) => tag + names.user(id),
    users: () => tag + names.users(),
    userNamed: (name) => tag + names.userNamed(name),
    userAssignments: (user) => tag + names.userAssignments(user),
    userCredentials: (user) => tag + names.userCredentials(user),
    userTokens: (user) => tag + names.userTokens(user),
    project: (id) => tag + names.project(id),
    projects: () => tag + names.projects(),
    projectNamed: (name) => tag + names.projectNamed(name),
    projectAssignments: (project) => tag + names.projectAssignments(project),
    projectCredentials: (project) => tag + names.projectCredentials(project),
    assignment: (id) => tag + names.assignment(id),
    assignments: () => tag + names.assignments(),
    credential: (id) => tag + names.credential(id),
    token: (id) => tag + names.token(id),
    tokens: () => tag + names.tokens(),
    signInFailures: (id) => tag + names.signInFailures(id),
    allSignInFailures: () => tag + names.allSignInFailures(),
    node: (node) => tag + names.node(node),
    nodes: () => tag + names.nodes(),
    lease: (node) => tag + names.lease(node),
    backend: (id) => tag + names.backend(id),
    nodeBackends: (node) => tag + names.nodeBackends(node),
    sharing: (identity) => tag + names.sharing(identity),
    freeSpace: () => tag + names.freeSpace(),
    shelves: () => tag + names.shelves(),
    shelfOwners: () => tag + names.shelfOwners(),
    nodeShelves: (node) => tag + names.nodeShelves(node),
    quarantine: (node) => tag + names.quarantine(node),
    catchingUp: () => tag + names.catchingUp(),
    events: () => tag + names.events(),
    topic: (topic) => tag + names.topic(topic),
    replies: (requester) => tag + names.replies(requester),
    replicated: () => tag + names.replicated(),
    access: () => tag + names.access(),
  };
}

export interface LuaFunction {
  name: string;
  source: string;
}

/** The same names for scripts: functions `key_volume(id)` and so on, over KEYS[1] as the prefix. */
export function keyFunctions(): LuaFunction[] {
  return Object.entries(names).map(([key, make]) => {
    const [before = '', after = ''] = make('\0').split('\0');
    const takesPart = make.length > 0;
    const body = takesPart ? `'${before}' .. part .. '${after}'` : `'${before}'`;
    const name = `key_${key}`;
    return { name, source: `local function ${name}(${takesPart ? 'part' : ''}) return KEYS[1] .. ${body} end` };
  });
}
