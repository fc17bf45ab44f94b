import { randomUUID } from 'node:crypto';
import { createGroupType } from '../../../../lib/client/group-types.ts';
import { createQosSpec } from '../../../../lib/client/qos-specs.ts';
import { createType, updateType } from '../../../../lib/client/types.ts';
import { setDefaultType } from '../../../../lib/client/default-types.ts';
import { volumesOf } from '../../../../lib/models/volume.ts';
import { until } from '../../../support/until.ts';
import { type PolicyPlace, brokenName, spareNode } from './place.ts';

/** Makes what a parameter of a path names. */
export interface Maker {
  /** `project`: an object of one project, unknown to others; `everybody`: of none; `name`: a project, which only its own callers may name. */
  of: 'project' | 'everybody' | 'name';
  /** `parent`: what the parameter before it names. */
  make(place: PolicyPlace, project: string, parent: string): Promise<string>;
}

const deadline = { deadlineMs: 60_000 };
const owner = (projectId: string) => ({ userId: 'u', projectId });

const volume: Maker = { of: 'project', make: (place, project) => place.volume(project) };
const snapshot: Maker = {
  of: 'project',
  async make(place, project) {
    const name = `s-${randomUUID()}`;
    const options = { ...owner(project), name, metadata: { k: 'v' } };
    return (await place.commands.snapshots.create(await place.volume(project), options, deadline)).id;
  },
};
const transfer: Maker = {
  of: 'project',
  async make(place, project) {
    const options = { withSnapshots: true, lengthMs: 3_600_000 };
    return (await place.commands.transfers.create(await place.volume(project), options)).transfer.id;
  },
};
const attachment: Maker = {
  of: 'project',
  async make(place, project) {
    const { attachments } = place.commands;
    return (await attachments.reserve(await place.volume(project), { instanceId: randomUUID() })).id;
  },
};
const backup: Maker = {
  of: 'project',
  async make({ backups }, project) {
    const id = randomUUID();
    await backups.create({
      ...owner(project),
      id,
      name: `b-${id}`,
      status: 'error',
      volume: randomUUID(),
      volumeName: '',
      size: 1,
      createTime: Date.now(),
      parent: null,
      checksum: null,
      storedBytes: 0,
    });
    return id;
  },
};
const message: Maker = {
  of: 'project',
  async make({ commands, store }, project) {
    const { id } = await commands.commands.create({ size: 1, ...owner(project), name: brokenName });
    await until(async () => (await volumesOf(store).find(id))?.fault, 'the volume has a fault');
    return id;
  },
};
const type: Maker = {
  of: 'everybody',
  make: async ({ store }) =>
    (await createType(store, { name: `t-${randomUUID()}`, requirements: { multiattach: 'yes' } })).id,
};
const qosSpec: Maker = {
  of: 'everybody',
  async make({ store }) {
    const name = `q-${randomUUID()}`;
    return (await createQosSpec(store, { name, consumer: 'front-end', specs: { k: 'v' } })).id;
  },
};
/** With a volume. */
const group: Maker = {
  of: 'project',
  async make(place, project) {
    const { groups } = place.commands;
    const { id } = await groups.create({ ...owner(project), name: `g-${randomUUID()}` });
    await groups.update(id, { add: [await place.volume(project)] });
    return id;
  },
};
const groupSnapshot: Maker = {
  of: 'project',
  async make(place, project) {
    const of = await group.make(place, project, '');
    return (await place.commands.groupSnapshots.create(of, owner(project), deadline)).id;
  },
};
const groupType: Maker = {
  of: 'everybody',
  make: async ({ store }) => (await createGroupType(store, { name: `gt-${randomUUID()}`, specs: { k: 'v' } })).id,
};
/** Nothing of it exists: every caller gets the same. */
const absent: Maker = { of: 'everybody', make: async () => randomUUID() };
const text = (value: string): Maker => ({ of: 'everybody', make: async () => value });

/** By the beginning of a path that ends with the parameter. */
export const makers: ReadonlyMap<string, Maker> = new Map([
  ['/volumes/:id', volume],
  ['/volumes/:id/metadata/:key', text('k')],
  ['/blockstore/operations/:id', volume],
  ['/blockstore/nodes/:name', text('n1')],
  ['/snapshots/:id', snapshot],
  ['/snapshots/:id/metadata/:key', text('k')],
  ['/os-volume-transfer/:id', transfer],
  ['/volume-transfers/:id', transfer],
  ['/attachments/:id', attachment],
  ['/backups/:id', backup],
  ['/messages/:id', message],
  ['/types/:id', type],
  ['/types/:type', type],
  ['/types/:type/extra_specs/:key', text('multiattach')],
  [
    '/types/:type/encryption/:key',
    {
      of: 'everybody',
      async make({ store }, _project, parent) {
        await updateType(store, parent, { encryption: { provider: 'luks', cipher: '', keySize: undefined } });
        return 'provider';
      },
    },
  ],
  ['/qos-specs/:id', qosSpec],
  [
    '/default-types/:project',
    {
      of: 'everybody',
      async make(place, project) {
        const named = `${project}-${randomUUID()}`;
        await setDefaultType(place.store, named, await type.make(place, project, ''));
        return named;
      },
    },
  ],
  ['/os-quota-sets/:project', { of: 'name', make: async (_place, project) => project }],
  ['/os-quota-class-sets/:class', text('default')],
  ['/os-hosts/:host', text('n1@fake')],
  ['/capabilities/:host', text(`${spareNode}@fake`)],
  ['/clusters/:name', absent],
  ['/groups/:id', group],
  ['/group_snapshots/:id', groupSnapshot],
  ['/group_types/:id', groupType],
  ['/group_types/:id/group_specs/:key', text('k')],
  ['/consistencygroups/:id', absent],
  ['/cgsnapshots/:id', absent],
  ['/extensions/:alias', text('backups')],
]);

/** Returns the beginnings of a path that end with a parameter, the shortest first. */
export function parametersOf(path: string): string[] {
  return [...path.matchAll(/:[a-z_]+/g)].map(({ index, 0: name }) => path.slice(0, index + name.length));
}
