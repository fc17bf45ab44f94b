import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { usersOf } from '../../../lib/models/attachment.ts';
import { call } from '../call.ts';
import { versionText } from '../microversion.ts';
import { refusalOf } from '../never-met.ts';
import { usableType } from '../own-type.ts';
import { ownVolume } from '../owned.ts';
import { size, yesOrNo } from '../schemas.ts';
import { acceptedAction } from '../volume-action.ts';

/** From this version on, volumes are extended while they are attached. */
const extendsAttached = 42;

/** What the users of a volume do with it, besides attaching it. */
export const volumeActionCalls = [
  call({
    ...acceptedAction,
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
    ...acceptedAction,
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
    ...acceptedAction,
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
    ...acceptedAction,
    name: 'volume:update',
    summary: 'Says whether nobody may write to a volume',
    action: 'os-update_readonly_flag',
    body: z.strictObject({ readonly: yesOrNo }),
    async handle(request) {
      const { id: volume } = await ownVolume(request, request.param('id'));
      await request.cluster.commands.update(volume, { isReadOnly: request.body.readonly });
    },
  }),
];
