import { z } from 'zod';
import { cancelMigration } from '../../../lib/client/cancel-migration.ts';
import { dismissFault, statusWithoutFault } from '../../../lib/client/dismiss-fault.ts';
import { asError, errors } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import { call, noBody } from '../call.ts';
import { refusalOf } from '../never-met.ts';
import { ownVolume } from '../owned.ts';
import { endClaims, removeVolume } from '../remove-volume.ts';
import { id, optional, yesOrNo } from '../schemas.ts';
import { apiStatus } from '../views/volume.ts';
import { waiting } from '../waiting.ts';
import { acceptedAction } from '../volume-action.ts';

const word = z.string().max(255);
const resetBody = z
  .strictObject({ status: word.nullish(), attach_status: word.nullish(), migration_status: word.nullish() })
  .refine(
    (body) => Object.values(body).some((value) => value !== undefined && value !== null),
    'must have status, attach_status or migration_status',
  );

/** What administrators do with volumes. */
export const volumeAdminActionCalls = [
  call({
    ...acceptedAction,
    name: 'volume:migrate',
    summary: 'Moves a volume to another backend: a detached one, or on AoE also an attached one',
    action: 'os-migrate_volume',
    body: z.strictObject({
      host: optional(z.string().max(255)).describe('A node, node@backend, or node@backend#pool'),
      cluster: optional(z.string().max(255)),
      // A volume that moves is locked, and its data are always copied by the nodes.
      force_host_copy: yesOrNo.nullish(),
      lock_volume: yesOrNo.nullish(),
    }),
    async handle(request) {
      const { id: volume, type, isMultiattach } = await ownVolume(request, request.param('id'));
      const { host, cluster } = request.body;
      if (cluster !== undefined) {
        throw errors.notOffered('nodes form no clusters that share their volumes', 'name a host: node@backend#pool');
      }
      if (host === undefined) throw errors.invalidRequest(['os-migrate_volume.host: must be given']);
      await request.cluster.migrations.migrate(volume, { to: host }).catch(async (thrown: unknown) => {
        const { code, message } = asError(thrown);
        // Not the object of the request.
        const isOfHost = code === 'NodeNotFound' || code === 'BackendNotFound';
        if (isOfHost) throw errors.invalidRequest([`os-migrate_volume.host: ${message}`]);
        const [at = host] = host.split('#');
        throw await refusalOf(request, { type, wantedZone: '', isMultiattach, needs: 'migration', at }, thrown);
      });
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:migrate',
    summary:
      'Waits for the end of a migration, or cancels it; tells a compute service which volume takes the place of one',
    action: 'os-migrate_volume_completion',
    status: 200,
    body: z.strictObject({
      new_volume: id.describe('Of a volume that migrates: the same volume'),
      error: yesOrNo.nullish().describe('Cancels the migration'),
    }),
    answer: z.strictObject({ save_volume_id: z.string() }),
    async handle(request) {
      const { cluster, body } = request;
      const volume = await ownVolume(request, request.param('id'));
      const other = await ownVolume(request, body.new_volume);
      const migrating = [volume, other].find(({ task }) => task?.kind === 'migrate');
      if (migrating && volume.id !== other.id) throw errors.migratesAlone(migrating.id);
      if (migrating && body.error) await cancelMigration(cluster, volume.id, waiting(request));
      else if (migrating) await cluster.migrations.migrate(volume.id, {}, waiting(request));
      return { save_volume_id: other.id };
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:administer',
    summary: 'Dismisses the error of an operation that left the volume as it was; other statuses are not set',
    action: 'os-reset_status',
    body: resetBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      const { status, attach_status: attachStatus, migration_status: migrationStatus } = request.body;
      if (attachStatus) requireAttachStatus(volume, attachStatus);
      if (migrationStatus) requireMigrationStatus(volume, migrationStatus);
      if (!status || status === apiStatus(volume) || status === volume.status) return;
      if (status !== statusWithoutFault(volume)) throw cannotReset(volume, status);
      await dismissFault(request.cluster.store, volume.id);
    },
  }),
  call({
    ...acceptedAction,
    name: 'volume:administer',
    summary: 'Deletes a volume in any status in which nothing is under way for it and no host has it',
    action: 'os-force_delete',
    body: noBody,
    async handle(request) {
      const volume = await ownVolume(request, request.param('id'));
      await endClaims(request, volume);
      await removeVolume(request, volume.id, { cascade: false });
    },
  }),
];

/** Throws NotOffered. */
function requireAttachStatus({ id: volume, attachStatus }: VolumeState, asked: string): void {
  if (asked === attachStatus) return;
  throw errors.notOffered(
    `volume ${volume} is ${attachStatus}: that follows from its attachments, and is not set`,
    'to end an attachment: the action os-force_detach, or DELETE /v3/attachments/{id}',
  );
}

/** Throws NotOffered. */
function requireMigrationStatus({ id: volume, status }: VolumeState, asked: string): void {
  if (asked === (status === 'migrating' ? 'migrating' : 'none')) return;
  throw errors.notOffered(
    `volume ${volume} is ${status}: its migration status follows from that, and is not set`,
    'a migration ends by itself; the volume stays where it was if it fails',
  );
}

function cannotReset(volume: VolumeState, asked: string): Error {
  const { id: found, task, fault } = volume;
  const now = apiStatus(volume);
  const hint = task
    ? `its ${task.kind} is under way: wait until it has ended`
    : (fault?.hint ?? 'request the operation whose end has that status, or delete the volume');
  return errors.notOffered(`volume ${found} is ${now}, which cannot be set to ${asked.slice(0, 60)}`, hint);
}
