import { randomUUID } from 'node:crypto';
import { type BackendReport, backendId, writeBackend } from '../../lib/models/backend.ts';
import { type TaskKind, writeTask } from '../../lib/models/task.ts';
import { type EditOptions, type TransitionName, editOf } from '../../lib/models/transitions.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { commit, report } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { NodeLease } from '../../services/node/lease.ts';

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
  const { id = randomUUID(), ...rest } = fields;
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
    ...rest,
  };
  const outcome = await commit(store, { edits: [{ kind: 'volume', id, insert: true, set, stamp: ['createTime'] }] });
  if (outcome.word !== 'ok') throw new Error(`volume ${id}: ${outcome.word}`);
  return volumesOf(store).lookup(id);
}

export function taskText(kind: TaskKind): string {
  return writeTask({ kind, key: randomUUID() });
}

/** Takes a volume through a transition, as its record is now. */
export async function transit(
  store: Store,
  id: string,
  name: TransitionName,
  options?: EditOptions,
): Promise<VolumeState | undefined> {
  const volume = await volumesOf(store).lookup(id);
  const outcome = await commit(store, { edits: [editOf(volume, name, options)] });
  if (outcome.word !== 'ok') throw new Error(`${name} of volume ${id}: ${outcome.word}`);
  return volumesOf(store).find(id);
}

/** Simulates a Redis that lost only the record: no quarantine, no reply. */
export async function loseRecord(store: Store, id: string): Promise<void> {
  await commit(store, { edits: [{ kind: 'volume', id, remove: true }] });
}
