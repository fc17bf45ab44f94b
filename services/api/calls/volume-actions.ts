import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { usersOf } from '../../../lib/models/attachment.ts';
import { call, noAnswer, noQuery } from '../call.ts';
import { versionText } from '../microversion.ts';
import { refusalOf } from '../never-met.ts';
import { usableType } from '../own-type.ts';
import { ownSnapshot, ownVolume } from '../owned.ts';
import { id, size, yesOrNo } from '../schemas.ts';

const action = {
  method: 'POST',
  path: '/volumes/:id/action',
  query: noQuery,
  status: 202,
  answer: noAnswer,
} as const;
/** From this version on, volumes are extended while they are attached. */
const extendsAttached = 42;

/** What the users of a volume do with it, besides attaching it. */
export const volumeActionCalls = [
  call({
    ...action,
    name: 'volume:extend',
    summary: `Extends a volume, from ${versionText(extendsAttached)} on also an attached one`,
    action: 'os-extend',
    body: z.strictObject({ new_size: size }),
    async handle(request) {
      const { cluster, version, body } = request;
      const volume = await ownVolume(request, request.param('id'));
      if (version < extendsAttached && volume.attachStatus !== 'detached') {
        const instance = await usersOf(cluster.store, volume);
        throw errors.extendedAttached(volume.id, instance, versionText(extendsAttached));
      }
      await cluster.commands.extend(volume.id, body.new_size);
    },
  }),
  call({
    ...action,
    name: 'volume:retype',
    summary: 'Gives a volume another type; with on-demand it moves to a backend that meets it',
    action: 'os-retype',
    body: z.strictObject({
      new_type: z.string().min(1).max(255),
      migration_policy: z.enum(['never', 'on-demand'], 'must be never or on-demand').nullish(),
    }),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      const { new_type: reference, migration_policy: policy } = request.body;
      const type = await usableType(request, reference);
      const mayMigrate = policy === 'on-demand';
      await request.cluster.migrations.retype(volume, type.id, { mayMigrate }).catch(async (error: unknown) => {
        const asked = { type: type.id, wantedZone: '', isMultiattach: false, needs: 'migration' as const };
        throw await refusalOf(request, asked, error);
      });
    },
  }),
  call({
    ...action,
    name: 'volume:update',
    summary: 'Says whether an instance can start from a volume',
    action: 'os-set_bootable',
    status: 200,
    body: z.strictObject({ bootable: yesOrNo }),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      await request.cluster.commands.update(volume, { isBootable: request.body.bootable });
    },
  }),
  call({
    ...action,
    name: 'volume:update',
    summary: 'Says whether nobody may write to a volume',
    action: 'os-update_readonly_flag',
    body: z.strictObject({ readonly: yesOrNo }),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      await request.cluster.commands.update(volume, { isReadOnly: request.body.readonly });
    },
  }),
  call({
    ...action,
    name: 'volume:revert',
    summary: 'Refused: volumes do not go back to snapshots',
    action: 'revert',
    since: 40,
    body: z.strictObject({ snapshot_id: id }),
    answer: z.never(),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      const { id: snapshot } = await ownSnapshot(request, request.body.snapshot_id);
      throw errors.notOffered(
        `volume ${volume} cannot go back to snapshot ${snapshot}`,
        `make a volume of the snapshot: POST /v3/volumes with snapshot_id ${snapshot}`,
      );
    },
  }),
  call({
    ...action,
    name: 'volume:revert',
    summary: 'Refused: the data of a volume are not replaced by those of an image',
    action: 'os-reimage',
    since: 68,
    body: z.strictObject({ image_id: id, reimage_reserved: yesOrNo.nullish() }),
    answer: z.never(),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      throw errors.notOffered(
        `the data of volume ${volume} cannot be replaced by those of an image`,
        'make a volume of the image: POST /v3/volumes with imageRef',
      );
    },
  }),
];
