import { randomUUID } from 'node:crypto';
import type { AttachmentStatus } from '../../lib/models/attachment-state.ts';
import type { Attachment } from '../../lib/models/attachment.ts';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type TaskKind, writeTask } from '../../lib/models/task.ts';
import type { TransitionName } from '../../lib/models/transitions.ts';
import { type EditOptions, editOf, removedAttachment } from '../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { type Edit, commit, report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { NodeLease } from '../../services/node/lease.ts';
import { newAttachment } from './attachments.ts';

/** Records as a node and its clients would make them, without a node. */

/** Holds the name of a node that has no daemon; with `backends` it reports them. */
export async function fakeNode(
  store: Store,
  node: string,
  {
    leaseMs = 600_000,
    problems = '',
    backends,
  }: { leaseMs?: number; problems?: string; backends?: readonly Partial<BackendReport>[] } = {},
): Promise<NodeLease> {
  const lease = await NodeLease.acquire(store, { node, holder: 'test', leaseMs });
  if (!backends) return lease;
  const [version, startTime] = ['1.0.0', String(Date.now())];
  await report(store, {
    ...lease.token,
    ...lease.options,
    overdueMs: 1000,
    nodeFields: { version, startTime, availabilityZone: 'nova', problems },
    backends: backends.map((given) => [
      backendId(node, given.name ?? 'fake'),
      writeBackend({ ...wholeBackend, ...given }),
    ]),
  });
  return lease;
}

const wholeBackend: BackendReport = {
  name: 'fake',
  driver: 'fake',
  target: 'none',
  pool: 'fake',
  capabilities: ['snapshots', 'clones', 'extend', 'thin'],
  shared: '',
  endpoint: '',
  availabilityZone: 'nova',
  totalBytes: 2 ** 40,
  freeBytes: 2 ** 40,
  capacityBytes: 2 ** 40,
  dataPercent: null,
  metadataPercent: null,
  accepting: true,
  problem: '',
};

/** Inserts a volume that is being created, unless `fields` say otherwise. */
export async function insertVolume(store: Store, fields: Readonly<Record<string, string>> = {}): Promise<VolumeState> {
  const { id = randomUUID(), instanceId, mountpoint, ...rest } = fields;
  const { attachStatus = 'detached' } = rest;
  const given = {
    ...(instanceId === undefined ? {} : { instanceId }),
    ...(mountpoint === undefined ? {} : { mountpoint }),
  };
  const use = isActiveStatus(attachStatus) ? newAttachment(id, given, attachStatus) : undefined;
  const ofTask = attachStatus === 'attached' ? {} : { attachment: use?.id ?? '' };
  const status = rest['status'] ?? 'creating';
  const set = {
    size: '1',
    userId: 'user',
    projectId: 'project',
    node: 'n1',
    backend: 'fake',
    attachStatus: 'detached',
    status,
    ...(status === 'creating' ? { task: taskText('create') } : {}),
    ...(use ? { attachments: use.id, ...ofTask } : {}),
    ...rest,
  };
  const edits: Edit[] = [{ kind: 'volume', id, insert: true, set, stamp: ['createTime'] }];
  const outcome = await commit(store, { edits: use ? [...edits, use.edit] : edits });
  if (outcome.word !== 'ok') throw new Error(`volume ${id}: ${outcome.word}`);
  return volumesOf(store).lookup(id);
}

function isActiveStatus(status: string): status is 'attaching' | 'attached' | 'detaching' {
  return ['attaching', 'attached', 'detaching'].includes(status);
}

export function taskText(kind: TaskKind): string {
  return writeTask({ kind, key: randomUUID() });
}

/** Takes a volume through a transition, as its record is now; `attachment`: what it begins to be attached to. */
export async function transit(
  store: Store,
  id: string,
  name: TransitionName,
  { attachment, ...options }: EditOptions & { attachment?: Partial<Attachment> } = {},
): Promise<VolumeState | undefined> {
  const volume = await volumesOf(store).lookup(id);
  const outcome = await commit(store, { edits: editsOf(volume, name, attachment, options) });
  if (outcome.word !== 'ok') throw new Error(`${name} of volume ${id}: ${outcome.word}`);
  return volumesOf(store).find(id);
}

function editsOf(
  volume: VolumeState,
  name: TransitionName,
  attachment: Partial<Attachment> | undefined,
  options: EditOptions,
): Edit[] {
  const { id, attachments } = volume;
  if (name === 'startAttach') {
    const use = newAttachment(id, attachment ?? {}, 'attaching');
    const set = { ...options.set, attachments: use.id, attachment: use.id };
    return [editOf(volume, name, { ...options, set }), use.edit];
  }
  const [first = ''] = attachments;
  const meant = name === 'startDetach' ? { ...options, set: { ...options.set, attachment: first } } : options;
  const status = attachmentStatusAfter[name];
  const ofUse: Edit[] =
    status === undefined ? [] : [{ kind: 'attachment', id: first, set: { status }, optional: true }];
  const isOver = name === 'finishDetach' || name === 'failAttach' || name === 'detachLost';
  return [editOf(volume, name, meant), ...ofUse, ...(isOver ? attachments.map(removedAttachment) : [])];
}

const attachmentStatusAfter: Partial<Record<TransitionName, AttachmentStatus>> = {
  finishAttach: 'attached',
  startDetach: 'detaching',
  failDetach: 'attached',
};

/** Simulates a Redis that lost only the record: no quarantine, no reply. */
export async function loseRecord(store: Store, id: string): Promise<void> {
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
}
