import { z } from 'zod';
import { checkRestorable } from '../../../lib/backups/check-restorable.ts';
import { usersOf } from '../../../lib/models/attachment.ts';
import { failBackup } from '../../../lib/backups/new-backup.ts';
import { errors } from '../../../lib/errors.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { currentBackup } from '../backup-state.ts';
import { idOfNew } from '../idempotency.ts';
import { newVolume } from '../new-volume.ts';
import { ownBackup } from '../own-backup.ts';
import { ownVolume } from '../owned.ts';
import { removeBackup } from '../remove-backup.ts';
import { id, optional } from '../schemas.ts';

const restoreBody = z.strictObject({
  restore: z.strictObject({ volume_id: optional(id), name: optional(z.string().max(255)) }),
});
const restored = z.object({
  restore: z.object({ backup_id: z.string(), volume_id: z.string(), volume_name: z.string().nullable() }),
});
const action = {
  name: 'backup:administer',
  method: 'POST',
  path: '/backups/:id/action',
  query: noQuery,
  status: 202,
  answer: noAnswer,
} as const;
/** A store describes its backups itself. */
const whyNoRecords = [
  'backups have no records that could be exported or imported',
  'every installation with the same backup_directory or backup_s3_url has them',
] as const;

export const backupActionCalls = [
  call({
    name: 'backup:restore',
    summary: 'Gives the data of a backup to a new volume, or to one that is there in place of its own',
    method: 'POST',
    path: '/backups/:id/restore',
    query: noQuery,
    body: restoreBody,
    status: 202,
    answer: restored,
    async handle(request) {
      const { caller, cluster, body } = request;
      const { volume_id: existing, name } = body.restore;
      const backup = await ownBackup(request, request.param('id'));
      const { id: backupId } = backup;
      if (existing !== undefined) {
        const volume = await ownVolume(request, existing);
        checkRestorable(backup, volume);
        if (volume.attachStatus !== 'detached') {
          throw errors.volumeAttached(volume.id, await usersOf(cluster.store, volume));
        }
        await cluster.commands.restore(volume.id, { kind: 'backup', id: backupId });
        return { restore: { backup_id: backupId, volume_id: volume.id, volume_name: volume.name || null } };
      }
      const asked = { size: undefined, image: undefined, snapshot: undefined, source: undefined, type: undefined };
      const origin = await newVolume(request, { ...asked, backup: backupId, zone: undefined, apartFrom: [], near: [] });
      const volume = await cluster.commands.create({
        ...origin,
        id: idOfNew(request, 'backup:restore'),
        userId: caller.userId,
        projectId: caller.projectId,
        name: name ?? `restore_backup_${backupId}`,
      });
      return { restore: { backup_id: backupId, volume_id: volume.id, volume_name: volume.name || null } };
    },
  }),
  call({
    ...action,
    summary:
      'Marks a backup that was interrupted as failed; one that has its data, and one that gets them, stays as it is',
    action: 'os-reset_status',
    body: z.strictObject({ status: z.enum(['available', 'error'], 'must be available or error') }),
    async handle(request) {
      const backup = await currentBackup(request, request.param('id'));
      const { store } = request.backups;
      const { status } = backup;
      if (status !== request.body.status) {
        throw errors.notOffered(
          `backup ${backup.id} is ${status}: that follows from its data, and is not set`,
          'wait until it has its data, or delete it',
        );
      }
      if (status === 'error') await failBackup(store, backup.id, errors.backupNotReady(backup.id));
      request.backups.catalog.forget(backup.id);
    },
  }),
  call({
    ...action,
    summary: 'Deletes a backup in any status',
    action: 'os-force_delete',
    body: noBody,
    async handle(request) {
      const { id: found } = await ownBackup(request, request.param('id'));
      await removeBackup(request, found);
    },
  }),
  call({
    name: 'backup:administer',
    summary: 'Refused: backups describe themselves',
    method: 'GET',
    path: '/backups/:id/export_record',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.never(),
    async handle(request) {
      await ownBackup(request, request.param('id'));
      throw errors.notOffered(...whyNoRecords);
    },
  }),
  call({
    name: 'backup:administer',
    summary: 'Refused: backups describe themselves',
    method: 'POST',
    path: '/backups/import_record',
    query: noQuery,
    body: z.unknown(),
    status: 201,
    answer: z.never(),
    handle: () => {
      throw errors.notOffered(...whyNoRecords);
    },
  }),
];
