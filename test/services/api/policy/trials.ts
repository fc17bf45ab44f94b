import { randomUUID } from 'node:crypto';
import type { Call } from '../../../../services/api/call.ts';
import { spareNode } from './place.ts';

/** Returns the id of an object: see makers.ts. */
export type Reference = (maker: string) => Promise<string>;

/** One way to try a call. */
export interface Trial {
  body?: (id: Reference) => unknown;
  query?: (id: Reference) => Promise<string> | string;
  /** What callers get who may do it, where that is not the status of success. */
  status?: number;
}

const volume = (id: Reference) => id('/volumes/:id');
const snapshot = (id: Reference) => id('/snapshots/:id');
const spare = { host: `${spareNode}@fake`, binary: 'cinder-volume' };
const typeQuery = async (id: Reference) => `?vol_type_id=${await id('/types/:id')}`;

/** By method, path and action. A call without a line here is sent without query and body. */
const trials: ReadonlyMap<string, readonly Trial[]> = new Map<string, readonly Trial[]>([
  [
    'POST /volumes',
    [
      { body: () => ({ volume: { size: 1 } }) },
      { body: async (id) => ({ volume: { snapshot_id: await snapshot(id) } }) },
      { body: async (id) => ({ volume: { source_volid: await volume(id) } }) },
      // That of a test has no data.
      { body: async (id) => ({ volume: { size: 1, backup_id: await id('/backups/:id') } }), status: 409 },
    ],
  ],
  ['PUT /volumes/:id', [{ body: () => ({ volume: { name: 'a' } }) }]],
  ['POST /volumes/:id/action os-extend', [{ body: () => ({ new_size: 2 }) }]],
  ['POST /volumes/:id/action os-retype', [{ body: async (id) => ({ new_type: await id('/types/:id') }) }]],
  ['POST /volumes/:id/action os-set_bootable', [{ body: () => ({ bootable: true }) }]],
  ['POST /volumes/:id/action os-update_readonly_flag', [{ body: () => ({ readonly: true }) }]],
  // The driver of the test moves no data, nor gives them to images or back to volumes.
  ['POST /volumes/:id/action revert', [{ body: async (id) => ({ snapshot_id: await snapshot(id) }), status: 400 }]],
  ['POST /volumes/:id/action os-reimage', [{ body: () => ({ image_id: randomUUID() }), status: 404 }]],
  ['POST /volumes/:id/action os-migrate_volume', [{ body: () => ({ host: 'n2@fake' }), status: 400 }]],
  [
    'POST /volumes/:id/action os-migrate_volume_completion',
    [{ body: async (id) => ({ new_volume: await volume(id), error: false }) }],
  ],
  ['POST /volumes/:id/action os-reset_status', [{ body: () => ({ status: 'available' }) }]],
  ['POST /volumes/:id/action os-volume_upload_image', [{ body: () => ({ image_name: 'i' }), status: 400 }]],
  ['POST /volumes/:id/action os-set_image_metadata', [{ body: () => ({ metadata: { a: 'b' } }) }]],
  ['POST /volumes/:id/action os-unset_image_metadata', [{ body: () => ({ key: 'k' }), status: 404 }]],
  ['POST /volumes/:id/metadata', [{ body: () => ({ metadata: { a: 'b' } }) }]],
  ['PUT /volumes/:id/metadata', [{ body: () => ({ metadata: { a: 'b' } }) }]],
  ['PUT /volumes/:id/metadata/:key', [{ body: () => ({ meta: { k: 'b' } }) }]],
  ['POST /snapshots', [{ body: async (id) => ({ snapshot: { volume_id: await volume(id), force: true } }) }]],
  ['PUT /snapshots/:id', [{ body: () => ({ snapshot: { name: 'a' } }) }]],
  ['POST /snapshots/:id/metadata', [{ body: () => ({ metadata: { a: 'b' } }) }]],
  ['PUT /snapshots/:id/metadata', [{ body: () => ({ metadata: { a: 'b' } }) }]],
  ['PUT /snapshots/:id/metadata/:key', [{ body: () => ({ meta: { k: 'b' } }) }]],
  ['POST /snapshots/:id/action os-reset_status', [{ body: () => ({ status: 'available' }) }]],
  ['POST /snapshots/:id/action os-update_snapshot_status', [{ body: () => ({ status: 'available' }) }]],
  // Its volume has no export, and no attachment.
  ['POST /volumes/:id/action os-initialize_connection', [{ body: () => ({ connector: { host: 'h' } }), status: 400 }]],
  ['POST /volumes/:id/action os-terminate_connection', [{ body: () => ({ connector: { host: 'h' } }) }]],
  ['POST /volumes/:id/action os-attach', [{ body: () => ({ instance_uuid: randomUUID(), mountpoint: '/dev/vdb' }) }]],
  ['POST /volumes/:id/action os-begin_detaching', [{ status: 409 }]],
  ['POST /volumes/:id/action os-detach', [{ status: 409 }]],
  ['POST /volumes/:id/action os-force_detach', [{ status: 409 }]],
  ['POST /attachments', [{ body: async (id) => ({ attachment: { volume_uuid: await volume(id) } }) }]],
  ['PUT /attachments/:id', [{ body: () => ({ attachment: { connector: { host: 'h' } } }) }]],
  // No host has that of a test.
  ['POST /attachments/:id/action os-complete', [{ status: 409 }]],
  ...['/os-volume-transfer', '/volume-transfers'].flatMap((root): [string, Trial[]][] => [
    [`POST ${root}`, [{ body: async (id) => ({ transfer: { volume_id: await volume(id) } }) }]],
    // With another key, and so as if there were none.
    [`POST ${root}/:id/accept`, [{ body: () => ({ accept: { auth_key: 'k' } }), status: 404 }]],
  ]),
  ['GET /types/default', [{ status: 404 }]],
  ['POST /types', [{ body: () => ({ volume_type: { name: `t-${randomUUID()}` } }) }]],
  ['PUT /types/:id', [{ body: () => ({ volume_type: { name: `t-${randomUUID()}` } }) }]],
  ['POST /types/:type/extra_specs', [{ body: () => ({ extra_specs: { a: 'b' } }) }]],
  ['PUT /types/:type/extra_specs/:key', [{ body: () => ({ multiattach: '<is> False' }) }]],
  // Only a private type has a list of projects.
  ['GET /types/:id/os-volume-type-access', [{ status: 404 }]],
  ['POST /types/:id/action addProjectAccess', [{ body: () => ({ project: 'p' }), status: 400 }]],
  ['POST /types/:id/action removeProjectAccess', [{ body: () => ({ project: 'p' }), status: 400 }]],
  ['POST /types/:type/encryption', [{ body: () => ({ encryption: { provider: 'luks' } }) }]],
  ['PUT /types/:type/encryption/:key', [{ body: () => ({ encryption: { key_size: 256 } }) }]],
  ['POST /qos-specs', [{ body: () => ({ qos_specs: { name: `q-${randomUUID()}`, consumer: 'front-end' } }) }]],
  ['PUT /qos-specs/:id', [{ body: () => ({ qos_specs: { a: 'b' } }) }]],
  ['PUT /qos-specs/:id/delete_keys', [{ body: () => ({ keys: ['k'] }) }]],
  ['GET /qos-specs/:id/associate', [{ query: typeQuery }]],
  ['GET /qos-specs/:id/disassociate', [{ query: typeQuery }]],
  [
    'PUT /default-types/:project',
    [{ body: async (id) => ({ default_type: { volume_type: await id('/types/:id') } }) }],
  ],
  ['PUT /os-quota-sets/:project', [{ body: () => ({ quota_set: { volumes: 100_000 } }) }]],
  ['PUT /os-quota-class-sets/:class', [{ body: () => ({ quota_class_set: { volumes: 100_000 } }) }]],
  ['GET /limits', [{}, { query: async (id) => `?project_id=${await id('/os-quota-sets/:project')}` }]],
  ['PUT /os-services/enable', [{ body: () => spare }]],
  ['PUT /os-services/disable', [{ body: () => spare }]],
  ['PUT /os-services/disable-log-reason', [{ body: () => ({ ...spare, disabled_reason: 'a disk' }) }]],
  ['PUT /os-services/set-log', [{ body: () => ({ level: 'DEBUG' }) }]],
  ['PUT /os-services/get-log', [{ body: () => ({}) }]],
  ['PUT /clusters/enable', [{ body: () => ({ name: 'c' }) }]],
  ['PUT /clusters/disable', [{ body: () => ({ name: 'c' }) }]],
  // The driver of the test has no data to read.
  ['POST /backups', [{ body: async (id) => ({ backup: { volume_id: await volume(id) } }), status: 400 }]],
  ['PUT /backups/:id', [{ body: () => ({ backup: { name: 'a' } }) }]],
  [
    'POST /backups/:id/restore',
    [
      { body: () => ({ restore: {} }), status: 409 },
      { body: async (id) => ({ restore: { volume_id: await volume(id) } }), status: 409 },
    ],
  ],
  ['POST /backups/:id/action os-reset_status', [{ body: () => ({ status: 'error' }) }]],
  ['DELETE /messages/:id', [{ status: 400 }]],
  [
    'POST /groups',
    [
      {
        body: async (id) => ({
          group: { group_type: await id('/group_types/:id'), volume_types: [await id('/types/:id')] },
        }),
      },
    ],
  ],
  ['PUT /groups/:id', [{ body: () => ({ group: { name: 'a' } }) }]],
  ['POST /groups/:id/action delete', [{ body: () => ({ 'delete-volumes': true }) }]],
  ['POST /groups/:id/action reset_status', [{ body: () => ({ status: 'available' }) }]],
  ['POST /group_snapshots', [{ body: async (id) => ({ group_snapshot: { group_id: await id('/groups/:id') } }) }]],
  ['POST /group_snapshots/:id/action reset_status', [{ body: () => ({ status: 'available' }) }]],
  ['POST /group_types', [{ body: () => ({ group_type: { name: `gt-${randomUUID()}` } }) }]],
  ['PUT /group_types/:id', [{ body: () => ({ group_type: { name: `gt-${randomUUID()}` } }) }]],
  ['POST /group_types/:id/group_specs', [{ body: () => ({ group_specs: { a: 'b' } }) }]],
  ['PUT /group_types/:id/group_specs/:key', [{ body: () => ({ k: 'b' }) }]],
]);

export function keyOf({ method, path, action }: Call): string {
  return action === undefined ? `${method} ${path}` : `${method} ${path} ${action}`;
}

/** Returns the ways to try a call; undefined where it wants something that the table does not have. */
export function trialsOf(call: Call): readonly Trial[] | undefined {
  const found = trials.get(keyOf(call));
  if (found) return found;
  const needsNothing = call.body.safeParse(undefined).success && call.query.safeParse({}).success;
  return needsNothing ? [{}] : undefined;
}
