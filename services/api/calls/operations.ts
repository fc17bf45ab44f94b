/** Calls of our own about what volumes are doing, and what has happened to them. */
import { z } from 'zod';
import { newestEvents } from '../../../lib/client/event-reader.ts';
import { errors } from '../../../lib/errors.ts';
import { isId } from '../../../lib/models/id.ts';
import type { NodeState } from '../../../lib/models/node.ts';
import { volumesOf } from '../../../lib/models/volume.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { pairsOf } from '../../../lib/redis/pairs.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { call, noBody, noQuery } from '../call.ts';
import { hasRole } from '../caller.ts';
import { trueOrFalse, wholeNumber } from '../listing.ts';
import { mayKnow, ownVolume } from '../owned.ts';
import { eventDocument, eventView } from '../views/event.ts';
import { operationDocument, operationView } from '../views/operation.ts';

const common = { method: 'GET', body: noBody, status: 200 } as const;
const count = z.int().min(0);
/** Volumes with a task that one request reads at most. */
const maxOperations = 200;
const maxEvents = 200;

export const operationCalls = [
  call({
    ...common,
    name: 'operation:list',
    summary: 'Lists operations that are under way, the oldest first',
    path: '/blockstore/operations',
    query: noQuery,
    answer: z.strictObject({ operations: z.array(operationDocument), complete: z.boolean() }),
    async handle({ caller, cluster: { store }, view }) {
      const { nodes } = await view.nodes();
      const { busy, isComplete } = await busyVolumes(store, nodes);
      const known = busy.filter(({ volume }) => mayKnow(caller, volume));
      return {
        operations: known.map(({ volume, since }) => operationView(volume, caller, since)),
        complete: isComplete,
      };
    },
  }),
  call({
    ...common,
    name: 'volume:show',
    summary: 'Shows what a volume is doing: its task with its progress, and its last fault',
    path: '/blockstore/operations/:id',
    query: noQuery,
    answer: z.strictObject({ operation: operationDocument }),
    async handle(request) {
      const { caller, cluster } = request;
      const { store } = cluster;
      const volume = await ownVolume(request, request.param('id'));
      const score = await store.read((redis) => redis.zscore(store.keys.tasks(volume.node), volume.id));
      return { operation: operationView(volume, caller, score === null ? undefined : Number(score)) };
    },
  }),
  call({
    ...common,
    name: 'volume:list',
    summary: 'Counts volumes by their status, and lists those that have a fault, the newest first',
    path: '/blockstore/statuses',
    query: z.strictObject({ all_tenants: trueOrFalse.optional() }),
    answer: z.strictObject({
      statuses: z.record(z.string(), count),
      faulty: z.array(operationDocument),
      examined: count.describe('Of very many volumes the newest are examined'),
      total: count,
    }),
    async handle({ caller, cluster: { store }, query, view }) {
      const isAll = hasRole(caller, 'admin') && (query.all_tenants ?? false);
      const index = isAll ? store.keys.volumes() : store.keys.projectVolumes(caller.projectId);
      const { counts, faulty, examined, total } = await view.statuses(index);
      const { states } = await volumesOf(store).readAll(faulty);
      const still = states.filter(({ fault }) => fault !== undefined);
      return { statuses: counts, faulty: still.map((volume) => operationView(volume, caller)), examined, total };
    },
  }),
  call({
    ...common,
    name: 'event:list',
    summary: 'Lists what has begun, ended or was changed, the newest first; `last` is where later events follow',
    path: '/blockstore/events',
    query: z.strictObject({
      volume_id: z.string().max(255).optional(),
      after: z
        .string()
        .regex(/^\d{1,15}-\d{1,15}$/, 'must be the id of an event')
        .optional(),
      limit: wholeNumber.optional(),
    }),
    answer: z.strictObject({ events: z.array(eventDocument), last: z.string() }),
    async handle({ caller, cluster: { store }, query }) {
      const { volume_id: volume, after, limit = 50 } = query;
      if (volume !== undefined && !isId(volume)) throw errors.volumeNotFound(volume.slice(0, 100));
      const { events, last } = await newestEvents(store, {
        count: Math.min(limit, maxEvents),
        ...(after === undefined ? {} : { after }),
        ...(volume === undefined ? {} : { volume }),
        matches: (event) => mayKnow(caller, event),
      });
      return { events: events.map((event) => eventView(event, caller)), last };
    },
  }),
];

interface Busy {
  volume: VolumeState;
  /** When its task began, in milliseconds since the epoch. */
  since: number;
}

/** Returns volumes that have a task, of all nodes, the oldest task first. */
async function busyVolumes(store: Store, nodes: readonly NodeState[]): Promise<{ busy: Busy[]; isComplete: boolean }> {
  const having = nodes.filter(({ pending }) => pending > 0);
  const lists = await store.read((redis) =>
    Promise.all(
      having
        .slice(0, maxOperations)
        .map(({ id }) => redis.zrange(store.keys.tasks(id), '0', String(maxOperations - 1), 'WITHSCORES')),
    ),
  );
  const tasks = lists.flatMap(pairsOf).toSorted(([, one], [, other]) => Number(one) - Number(other));
  const began = new Map(tasks.slice(0, maxOperations).map(([id, score]) => [id, Number(score)]));
  const { states } = await volumesOf(store).readAll([...began.keys()]);
  const busy = states.map((volume) => ({ volume, since: began.get(volume.id) ?? 0 }));
  const isComplete = tasks.length <= maxOperations && having.length <= maxOperations;
  return { busy: busy.filter(({ volume }) => volume.task !== undefined), isComplete };
}
