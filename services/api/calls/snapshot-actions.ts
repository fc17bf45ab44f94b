import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { snapshotStatuses } from '../../../lib/models/snapshot-state.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { ownSnapshot } from '../owned.ts';
import { awaitingTurn } from '../waiting.ts';

const action = {
  name: 'snapshot:administer',
  method: 'POST',
  path: '/snapshots/:id/action',
  query: noQuery,
  status: 202,
  answer: noAnswer,
} as const;
const status = z.enum(snapshotStatuses, `must be one of ${snapshotStatuses.join(', ')}`);

export const snapshotActionCalls = [
  call({
    ...action,
    summary: 'Refused unless the snapshot has the status already, which follows from its storage',
    action: 'os-reset_status',
    body: z.strictObject({ status }),
    handle: (request) => requireStatus(request, request.param('id'), request.body.status),
  }),
  call({
    ...action,
    summary: 'The same, for hosts that take snapshots of other storage themselves',
    action: 'os-update_snapshot_status',
    body: z.strictObject({ status, progress: z.string().max(255).nullish() }),
    handle: (request) => requireStatus(request, request.param('id'), request.body.status),
  }),
  call({
    ...action,
    summary: 'Deletes a snapshot in any status in which nothing is under way for it',
    action: 'os-force_delete',
    body: noBody,
    async handle(request) {
      const { id } = await ownSnapshot(request, request.param('id'));
      await request.cluster.snapshots.delete(id, awaitingTurn(request));
    },
  }),
];

/** Throws SnapshotNotFound, NotOffered. */
async function requireStatus(context: Context, reference: string, required: string): Promise<void> {
  const { id, status: found } = await ownSnapshot(context, reference);
  if (found === required) return;
  const hint =
    found === 'creating' || found === 'deleting'
      ? 'wait until that has ended'
      : 'delete it where it is of no use: that is possible in each of these statuses';
  throw errors.notOffered(`snapshot ${id} is ${found}: that follows from its storage, and is not set`, hint);
}
