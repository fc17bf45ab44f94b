import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { checkText, checkVolumeName } from '../../../lib/models/check-text.ts';
import { checkMetadata } from '../../../lib/models/metadata.ts';
import { type Context, call, noAnswer, noBody, noQuery } from '../call.ts';
import { backupQuery, listBackups } from '../backup-list.ts';
import { idOfNew } from '../idempotency.ts';
import { pageAnswer, pageDocument } from '../listing.ts';
import { createBackup } from '../new-backup.ts';
import { ownBackup } from '../own-backup.ts';
import { currentBackup } from '../backup-state.ts';
import { removeBackup } from '../remove-backup.ts';
import { description, id, metadata, name, optional, yesOrNo } from '../schemas.ts';
import {
  backupDocument,
  backupSummaryDocument,
  backupSummaryView,
  backupView,
  neededBackups,
} from '../views/backup.ts';

const oneSummary = z.strictObject({ backup: backupSummaryDocument });
const oneBackup = z.strictObject({ backup: backupDocument });
const one = { path: '/backups/:id', query: noQuery } as const;

const createBody = z.strictObject({
  backup: z.strictObject({
    volume_id: id,
    snapshot_id: optional(id),
    name,
    description,
    container: z.string().max(255).nullish(),
    incremental: yesOrNo.nullish(),
    force: yesOrNo.nullish(),
    metadata: metadata.nullish(),
    availability_zone: z.string().max(255).nullish(),
  }),
});
const updateBody = z.strictObject({
  backup: z
    .strictObject({ name, description, metadata: metadata.nullish() })
    .refine(
      (backup) => Object.values(backup).some((value) => value !== undefined && value !== null),
      'must have a name, a description or metadata',
    ),
});

export const backupCalls = [
  call({
    name: 'backup:list',
    summary: 'Lists backups',
    method: 'GET',
    path: '/backups',
    query: backupQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('backups', backupSummaryDocument),
    async handle(request) {
      const page = await listBackups(request, request.query);
      const backups = page.states.map((backup) => backupSummaryView(backup, request));
      return pageDocument('backups', backups, page);
    },
  }),
  call({
    name: 'backup:list',
    summary: 'Lists backups with all they have',
    method: 'GET',
    path: '/backups/detail',
    query: backupQuery,
    body: noBody,
    status: 200,
    answer: pageAnswer('backups', backupDocument),
    async handle(request) {
      const { needed, ...page } = await listBackups(request, request.query);
      const backups = page.states.map((backup) => backupView(backup, needed, request));
      return pageDocument('backups', backups, page);
    },
  }),
  call({
    ...one,
    name: 'backup:show',
    summary: 'Shows a backup',
    method: 'GET',
    body: noBody,
    status: 200,
    answer: oneBackup,
    handle: (request) => documentOf(request, request.param('id')),
  }),
  call({
    name: 'backup:create',
    summary: 'Backs a volume up, wholly or what has changed since its last backup; also as a snapshot of it has it',
    method: 'POST',
    path: '/backups',
    query: noQuery,
    body: createBody,
    status: 202,
    answer: oneSummary,
    async handle(request) {
      const { backup: given } = request.body;
      if (given.container) {
        throw errors.notOffered('backups have one place, which the flags of the nodes name', 'leave container out');
      }
      const notes = given.metadata ?? {};
      checkMetadata(notes);
      const backup = await createBackup(request, {
        id: idOfNew(request, 'backup:create'),
        volume: given.volume_id,
        snapshot: given.snapshot_id,
        name: given.name ?? undefined,
        description: given.description ?? undefined,
        metadata: notes,
        isIncremental: given.incremental ?? false,
        isForced: given.force ?? false,
      });
      return { backup: backupSummaryView(backup, request) };
    },
  }),
  call({
    ...one,
    name: 'backup:update',
    summary: 'Changes the name, the description or the metadata of a backup',
    method: 'PUT',
    since: 9,
    body: updateBody,
    status: 200,
    answer: oneSummary,
    async handle(request) {
      const { id: found } = await ownBackup(request, request.param('id'));
      const { name: newName, description: text, metadata: notes } = request.body.backup;
      checkMetadata(notes ?? {});
      const { store, catalog } = request.backups;
      const backup = await store.amend(found, {
        ...(newName ? { name: checkVolumeName(newName) } : {}),
        ...(text === undefined || text === null
          ? {}
          : { description: text === '' ? '' : checkText('description', text) }),
        ...(notes ? { metadata: notes } : {}),
      });
      catalog.forget(found);
      return { backup: backupSummaryView(backup, request) };
    },
  }),
  call({
    ...one,
    name: 'backup:delete',
    summary: 'Deletes a backup that no later one needs',
    method: 'DELETE',
    body: noBody,
    status: 202,
    answer: noAnswer,
    async handle(request) {
      const { id: found, status } = await currentBackup(request, request.param('id'));
      if (status === 'creating') throw errors.backupNotReady(found);
      await removeBackup(request, found);
    },
  }),
];

async function documentOf(context: Context, reference: string) {
  const backup = await currentBackup(context, reference);
  // Without the others it is not known whether they need it.
  const all = await context.backups.catalog.list().catch(() => []);
  return { backup: backupView(backup, neededBackups(all), context) };
}
