import { dismissFault } from '../../lib/client/dismiss-fault.ts';
import { asError, errors } from '../../lib/errors.ts';
import { GroupCommands } from '../../lib/client/group-commands.ts';
import { GroupSnapshotCommands } from '../../lib/client/group-snapshot-commands.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import { TransferCommands } from '../../lib/client/transfer-commands.ts';
import { lookupNode } from '../../lib/models/node.ts';
import type { TaskKind } from '../../lib/models/task.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { commit } from '../../lib/redis/scripts.ts';
import { Hopeless, until } from '../support/until.ts';
import { groupSnapshotPart } from './clear-groups.ts';
import type { Place } from './place.ts';
import { reported } from './reports.ts';

/** Returns the id of the volume with this part in a scene, always the same. */
export type Cast = (part: string) => string;

/** An activity of a daemon during which it is killed. */
export interface Scene {
  /** Whether the daemon already runs or is about to start. Default: it runs. */
  starting?: true;
  /** Prepares the scene while the daemon runs; a daemon that is about to start is killed afterwards. */
  prepare(place: Place, cast: Cast): Promise<void>;
  /** Sends the request as a client that waits for the end. */
  ask(place: Place, cast: Cast): Promise<void>;
  /** Errors that a repeated request can return instead of success; undefined: it cannot be repeated. */
  again?: readonly string[];
  /** Whether the effects of every report are counted as well. */
  idle?: true;
  /** Starts with no daemon, no volume and an empty Redis. */
  fresh?: true;
  /** The parts of volumes in the next run, by their part in this one; other volumes are deleted. */
  next?: Readonly<Record<string, string>>;
}

/** A volume of every scene that must not be affected. */
export const bystander = 'bystander';

export const subject = 'subject';
export const deadline = { deadlineMs: 300_000 };
const attachment = { instanceId: 'i-1', mountpoint: '/dev/vdb', mode: 'ro' } as const;

export const request = { size: 0, userId: 'user', projectId: 'project' };

/** Keeps an existing volume. */
export async function make({ commands, copies }: Place, id: string): Promise<void> {
  await commands.create({ ...request, id, ...(copies ? { node: copies.first } : {}) }, deadline);
}

async function attach({ commands, hosts }: Place, id: string): Promise<void> {
  await commands.attach(id, { ...attachment, hosts }, deadline);
}

export async function takeSnapshot({ snapshots }: Place, cast: Cast, of = subject, part = 'snapshot'): Promise<void> {
  const given = { id: cast(part), userId: 'user', projectId: 'project', force: true };
  await snapshots.create(cast(of), given, deadline);
}

async function makeGroup({ store, commands, ...place }: Place, cast: Cast): Promise<void> {
  const groups = new GroupCommands(store, commands);
  const volumes = [subject, 'second'].map(cast);
  for (const id of volumes) await make({ store, commands, ...place }, id);
  await groups.create({ id: cast('group'), userId: 'user', projectId: 'project' });
  await groups.update(cast('group'), { add: volumes });
}

function groupSnapshotsAt({ store }: Place): GroupSnapshotCommands {
  return new GroupSnapshotCommands(store, new RequestClient(store), 'volume');
}

async function takeGroupSnapshot(place: Place, cast: Cast): Promise<void> {
  const given = { id: cast(groupSnapshotPart), userId: 'user', projectId: 'project' };
  await groupSnapshotsAt(place).create(cast('group'), given, deadline);
}

/** Transfers by the volumes that they offer: their keys are nowhere else. */
const offers = new Map<string, { id: string; key: string }>();

async function offer({ store, commands }: Place, id: string): Promise<void> {
  const transfers = new TransferCommands(store, commands, 'volume');
  const { transfer, key } = await transfers.create(id, { withSnapshots: true, lengthMs: deadline.deadlineMs });
  offers.set(id, { id: transfer.id, key });
}

async function accept({ store, commands }: Place, volume: string): Promise<void> {
  const { id, key } = offers.get(volume) ?? { id: '', key: '' };
  const receiver = { userId: 'other', projectId: 'other' };
  await new TransferCommands(store, commands, 'volume').accept(id, key, receiver, deadline);
}

/** The same of one that is attached. */
export async function makeAttached(place: Place, id: string): Promise<void> {
  await make(place, id);
  if ((await volumesOf(place.store).lookup(id)).attachStatus === 'detached') await attach(place, id);
}

/** Redis loses the record of a volume. */
async function forget({ store }: Place, id: string): Promise<void> {
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
}

/** What needs images, backups or a second backend. */
export type CopyTask = 'upload' | 'backup' | 'migrate' | 'restore';

/** One for every operation of a command. Add a new operation here; what needs images, backups or a second backend: copy-scenes.ts. */
export const operationScenes: Readonly<Record<Exclude<TaskKind, CopyTask>, Scene>> = {
  create: {
    prepare: async () => {},
    ask: (place, cast) => make(place, cast(subject)),
    again: [],
  },
  delete: {
    prepare: (place, cast) => make(place, cast(subject)),
    ask: (place, cast) => place.commands.delete(cast(subject), deadline),
    again: ['VolumeNotFound'],
  },
  attach: {
    prepare: (place, cast) => make(place, cast(subject)),
    ask: (place, cast) => attach(place, cast(subject)),
    again: ['VolumeAttached'],
  },
  detach: {
    prepare: (place, cast) => makeAttached(place, cast(subject)),
    ask: async (place, cast) => void (await place.commands.detach(cast(subject), deadline)),
    again: ['VolumeNotAttached'],
  },
  /** Of one that is attached, whose export runs. */
  extend: {
    prepare: (place, cast) => makeAttached(place, cast(subject)),
    ask: async (place, cast) => void (await place.commands.extend(cast(subject), 1, deadline)),
    again: [],
  },
  snapshot: {
    prepare: (place, cast) => makeAttached(place, cast(subject)),
    ask: (place, cast) => takeSnapshot(place, cast),
    again: [],
  },
  'delete-snapshot': {
    prepare: async (place, cast) => {
      await makeAttached(place, cast(subject));
      await takeSnapshot(place, cast);
    },
    ask: (place, cast) => place.snapshots.delete(cast('snapshot'), deadline),
    again: ['SnapshotNotFound'],
  },
  /** Of two volumes, one of which has another snapshot. */
  'group-snapshot': {
    prepare: async (place, cast) => {
      await makeGroup(place, cast);
      await takeSnapshot(place, cast);
    },
    ask: (place, cast) => takeGroupSnapshot(place, cast),
    again: [],
  },
  'delete-group-snapshot': {
    prepare: async (place, cast) => {
      await makeGroup(place, cast);
      await takeGroupSnapshot(place, cast);
    },
    ask: (place, cast) => groupSnapshotsAt(place).delete(cast(groupSnapshotPart), deadline),
    again: ['GroupSnapshotNotFound'],
  },
  /** Of one with a snapshot that goes along. */
  relabel: {
    prepare: async (place, cast) => {
      await make(place, cast(subject));
      await takeSnapshot(place, cast);
      await offer(place, cast(subject));
    },
    ask: (place, cast) => accept(place, cast(subject)),
    again: ['TransferRefused'],
  },
  /** Of one that is attached. */
  rename: {
    prepare: (place, cast) => makeAttached(place, cast(subject)),
    ask: async (place, cast) => void (await place.commands.update(cast(subject), { name: 'renamed' }, deadline)),
    again: [],
  },
};

/** A volume is deleted with its snapshots. */
const cascade: Scene = {
  async prepare(place, cast) {
    await make(place, cast(subject));
    for (const part of ['snapshot', 'later']) await takeSnapshot(place, cast, subject, part);
  },
  ask: (place, cast) => place.commands.delete(cast(subject), { ...deadline, withSnapshots: true }),
  again: ['VolumeNotFound'],
};

/** The host of an attachment releases the volume: it is reserved again. */
const release: Scene = {
  prepare: (place, cast) => makeAttached(place, cast(subject)),
  ask: async (place, cast) => void (await place.commands.detach(cast(subject), { ...deadline, keeps: true })),
  again: ['VolumeReserved', 'VolumeNotAttached'],
};

/** A node starts with a volume in every possible state. */
const start: Scene = {
  starting: true,
  idle: true,
  next: {
    unrecorded: 'lost',
    detaching: 'unrecorded',
    creating: 'deleting',
    'creating here': 'attaching',
    attached: 'attached',
    attaching: 'dead attached export',
    'dead attached export': 'detaching',
  },
  async prepare(place, cast) {
    const plain = ['lost', 'unrecorded', 'deleting', 'attaching', 'extending', 'with a snapshot', 'being snapshotted'];
    const attached = ['attached', 'dead attached export', 'detaching'];
    await Promise.all([
      ...plain.map((part) => make(place, cast(part))),
      ...attached.map((part) => makeAttached(place, cast(part))),
    ]);
    await takeSnapshot(place, cast, 'with a snapshot', 'kept');
    await place.kill();
    await place.breakExport(cast('dead attached export'));
    await place.breakStorage(cast('lost'));
    await forget(place, cast('unrecorded'));
  },
  async ask(place, cast) {
    await Promise.all([
      make(place, cast('creating')),
      place.commands.create({ ...request, id: cast('creating here'), node: place.node }, deadline),
      place.commands.delete(cast('deleting'), deadline),
      attach(place, cast('attaching')),
      place.commands.detach(cast('detaching'), deadline),
      place.commands.extend(cast('extending'), 1, deadline),
      takeSnapshot(place, cast, 'being snapshotted', 'taken'),
      place.commands.create({ ...request, id: cast('copy'), fromSnapshot: cast('kept') }, deadline),
    ]);
  },
};

/** Until its first report a node that has started again has no free space: the request is repeated. */
async function onceAccepted(send: () => Promise<unknown>): Promise<void> {
  const isAccepted = async () => {
    try {
      await send();
      return true;
    } catch (error) {
      const { code, message } = asError(error);
      if (code === 'NoSpace' || code === 'BackendUnavailable') return false;
      throw new Hopeless(`${code}: ${message}`);
    }
  };
  await until(isAccepted, 'the node accepts the request', deadline.deadlineMs);
}

/** A node starts for the first time, with empty storage and Redis. */
const firstStart: Scene = {
  starting: true,
  idle: true,
  fresh: true,
  prepare: async () => {},
  async ask(place, cast) {
    const accepts = async () => (await lookupNode(place.store, place.node)).backends.some(({ accepting }) => accepting);
    await until(accepts, 'the node accepts volumes', deadline.deadlineMs);
    const copy = { ...request, id: cast('copy'), fromSnapshot: cast('snapshot') };
    const { commands } = place;
    await make(place, cast(subject));
    await takeSnapshot(place, cast);
    await Promise.all([
      onceAccepted(() => commands.extend(cast(subject), 1, deadline)),
      onceAccepted(() => commands.create(copy, deadline)),
    ]);
  },
};

/** A node starts with volumes of which an operation has failed, and an administrator resets them meanwhile. */
const dismissal: Scene = {
  starting: true,
  idle: true,
  async prepare(place, cast) {
    await make(place, cast('unattached'));
    await makeAttached(place, cast('attached'));
    await place.kill();
    const fault = JSON.stringify(errors.noAnswer('extend', 1000).toFault());
    for (const part of ['unattached', 'attached']) {
      const set = { status: 'error_extending', fault };
      await commit(place.store, { edits: [{ kind: 'volume', id: cast(part), set }] });
    }
  },
  async ask({ store }, cast) {
    for (const part of ['unattached', 'attached']) await dismissFault(store, cast(part));
  },
  again: [],
};

/** The activity at every report, with an export to restart. */
const upkeep: Scene = {
  idle: true,
  async prepare(place, cast) {
    await makeAttached(place, cast(subject));
    await reported(place, 2); // the examination of what the start has resumed is over
  },
  async ask(place, cast) {
    await place.breakExport(cast(subject));
    await reported(place, 2);
  },
};

/** A repair on request. */
const audit: Scene = {
  async prepare(place, cast) {
    for (const part of ['lost', 'unrecorded']) await make(place, cast(part));
    await place.breakStorage(cast('lost'));
    await forget(place, cast('unrecorded'));
  },
  async ask(place) {
    await place.nodeCommands.audit(place.node, { repair: true, remove: [] }, deadline);
  },
  again: [],
};

export const scenes: Readonly<Record<string, Scene>> = {
  ...operationScenes,
  cascade,
  release,
  start,
  'first-start': firstStart,
  'dismiss-fault': dismissal,
  upkeep,
  audit,
};
