import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { formatOf } from '../../../lib/images/fill.ts';
import { openImageStore } from '../../../lib/images/open-store.ts';
import { call } from '../call.ts';
import { ownSnapshot, ownVolume } from '../owned.ts';
import { id, yesOrNo } from '../schemas.ts';
import { acceptedAction } from '../volume-action.ts';

/** Other data in place of those of a detached volume. */
export const volumeRestoreActionCalls = [
  call({
    ...acceptedAction,
    name: 'volume:revert',
    summary: 'Gives a detached volume the data of its latest snapshot again',
    action: 'revert',
    since: 40,
    body: z.strictObject({ snapshot_id: id }),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      const { id: snapshot } = await ownSnapshot(request, request.body.snapshot_id);
      await request.cluster.commands.restore(volume, { kind: 'snapshot', id: snapshot });
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:reimage',
    summary: 'Gives a detached volume the data of an image in place of its own',
    action: 'os-reimage',
    since: 68,
    body: z.strictObject({
      image_id: id,
      reimage_reserved: yesOrNo.nullish().describe('Also a volume that is reserved, and stays so'),
    }),
    async handle(request) {
      const { cluster, flags, body } = request;
      const volume = await ownVolume(request, request.param('id'));
      const image = await openImageStore(flags).show(body.image_id);
      formatOf(image);
      if (volume.size < image.minDisk) {
        throw errors.volumeTooSmall(`image ${image.id}`, image.minDisk, volume.id, volume.size);
      }
      const mayBeReserved = body.reimage_reserved ?? false;
      await cluster.commands.restore(volume.id, { kind: 'image', id: image.id }, { mayBeReserved });
    },
  }),
];
