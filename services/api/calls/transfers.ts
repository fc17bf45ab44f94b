import { z } from 'zod';
import { defaultTransferMs } from '../../../lib/client/transfer-commands.ts';
import { transfersOf } from '../../../lib/models/transfer.ts';
import { type Call, call, noAnswer, noBody, noQuery } from '../call.ts';
import { givenText } from '../given-text.ts';
import { idOfNew } from '../idempotency.ts';
import { pageAnswer, pageDocument } from '../listing.ts';
import { ownTransfer, ownVolume } from '../owned.ts';
import { id, name, yesOrNo } from '../schemas.ts';
import { listTransfers, transferQuery } from '../transfer-list.ts';
import {
  type TransferRoot,
  newTransferDocument,
  transferDocument,
  transferSummaryDocument,
  transferSummaryView,
  transferView,
} from '../views/transfer.ts';

const oneTransfer = z.strictObject({ transfer: transferDocument });
const offer = { volume_id: id, name };
const createBody = z.strictObject({ transfer: z.strictObject(offer) });
const createSinceBody = z.strictObject({
  transfer: z.strictObject({
    ...offer,
    no_snapshots: yesOrNo.nullish().describe('Whether the snapshots of the volume stay with the project that has it'),
  }),
});
const acceptBody = z.strictObject({ accept: z.strictObject({ auth_key: z.string().min(1).max(255) }) });

/** Both paths mean the same transfers; only the later one can leave snapshots behind. */
export const transferCalls: readonly Call[] = [
  ...callsOf('/os-volume-transfer', undefined, createBody),
  ...callsOf('/volume-transfers', 55, createSinceBody),
];

function callsOf(root: TransferRoot, since: number | undefined, body: typeof createBody | typeof createSinceBody) {
  const versions = since === undefined ? {} : { since };
  const one = { path: `${root}/:id` as const, query: noQuery, ...versions };
  return [
    call({
      ...versions,
      name: 'transfer:list',
      summary: 'Lists offers of volumes to other projects',
      method: 'GET',
      path: root,
      query: transferQuery,
      body: noBody,
      status: 200,
      answer: pageAnswer('transfers', transferSummaryDocument),
      async handle(request) {
        const page = await listTransfers(request, request.query);
        const transfers = page.states.map((transfer) => transferSummaryView(transfer, root, request));
        return pageDocument('transfers', transfers, page);
      },
    }),
    call({
      ...versions,
      name: 'transfer:list',
      summary: 'Lists offers of volumes with all they have',
      method: 'GET',
      path: `${root}/detail`,
      query: transferQuery,
      body: noBody,
      status: 200,
      answer: pageAnswer('transfers', transferDocument),
      async handle(request) {
        const page = await listTransfers(request, request.query);
        const transfers = page.states.map((transfer) => transferView(transfer, root, request));
        return pageDocument('transfers', transfers, page);
      },
    }),
    call({
      ...one,
      name: 'transfer:show',
      summary: 'Shows the offer of a volume',
      method: 'GET',
      body: noBody,
      status: 200,
      answer: oneTransfer,
      async handle(request) {
        return { transfer: transferView(await ownTransfer(request, request.param('id')), root, request) };
      },
    }),
    call({
      ...versions,
      name: 'transfer:create',
      summary: 'Offers a volume to whoever has the key, which is shown once',
      method: 'POST',
      path: root,
      query: noQuery,
      body,
      status: 202,
      answer: z.strictObject({ transfer: newTransferDocument }),
      async handle(request) {
        const { transfer: given } = request.body;
        const staysBehind = 'no_snapshots' in given && given.no_snapshots === true;
        const { id: volume } = await ownVolume(request, given.volume_id);
        const { transfer, key } = await request.cluster.transfers.create(volume, {
          id: idOfNew(request, 'transfer:create'),
          ...givenText('name', given.name),
          withSnapshots: !staysBehind,
          lengthMs: defaultTransferMs,
        });
        return { transfer: { ...transferView(transfer, root, request), auth_key: key } };
      },
    }),
    call({
      ...versions,
      name: 'transfer:accept',
      summary: 'Moves the volume of an offer to the project of the caller, who has the key',
      method: 'POST',
      path: `${root}/:id/accept`,
      query: noQuery,
      body: acceptBody,
      status: 202,
      answer: z.strictObject({ transfer: transferSummaryDocument }),
      async handle(request) {
        const { caller, cluster, body: given } = request;
        const transfer = request.param('id').slice(0, 100);
        const { name: named = '' } = (await transfersOf(cluster.store).find(transfer)) ?? {};
        const { id: volume } = await cluster.transfers.accept(transfer, given.accept.auth_key, caller);
        return { transfer: transferSummaryView({ id: transfer, volume, name: named }, root, request) };
      },
    }),
    call({
      ...one,
      name: 'transfer:delete',
      summary: 'Ends the offer of a volume',
      method: 'DELETE',
      body: noBody,
      status: 202,
      answer: noAnswer,
      async handle(request) {
        const { id: found } = await ownTransfer(request, request.param('id'));
        await request.cluster.transfers.delete(found);
      },
    }),
  ];
}
