import test from 'ava';
import { GroupCommands } from '../../../lib/client/group-commands.ts';
import { createGroupType, deleteGroupType } from '../../../lib/client/group-types.ts';
import { createProject, deleteProject } from '../../../lib/client/identity/projects.ts';
import { createUser, deleteUser } from '../../../lib/client/identity/users.ts';
import { createQosSpec, deleteQosSpec } from '../../../lib/client/qos-specs.ts';
import { createType, deleteType } from '../../../lib/client/types.ts';
import { Store } from '../../../lib/redis/store.ts';
import { Cluster } from '../../support/cluster.ts';

/** Does something once the first script has run. */
class ThenElse extends Store {
  next: (() => Promise<unknown>) | undefined;

  override async run(...call: Parameters<Store['run']>): ReturnType<Store['run']> {
    const answer = await super.run(...call);
    const { next } = this;
    this.next = undefined;
    await next?.();
    return answer;
  }
}

let cluster: Cluster;
let other: Store;
test.before(async () => {
  cluster = await Cluster.start();
  other = await cluster.store();
});
test.after.always(() => cluster.close());

const kinds: Readonly<
  Record<
    string,
    { make: (store: Store, name: string) => Promise<{ id: string }>; remove: (id: string) => Promise<void> }
  >
> = {
  type: { make: (store, name) => createType(store, { name }), remove: (id) => deleteType(other, id) },
  'group type': { make: (store, name) => createGroupType(store, { name }), remove: (id) => deleteGroupType(other, id) },
  'QoS spec': {
    make: (store, name) => createQosSpec(store, { name, consumer: 'back-end', specs: {} }),
    remove: (id) => deleteQosSpec(other, id, { force: false }),
  },
  project: { make: (store, name) => createProject(store, { name }), remove: (id) => deleteProject(other, id) },
  user: { make: (store, name) => createUser(store, { name }), remove: (id) => deleteUser(other, id) },
};
const indexes: Readonly<Record<string, string>> = {
  type: 'types',
  'group type': 'group-types',
  'QoS spec': 'qos-specs',
  project: 'projects',
  user: 'users',
};

for (const [what, { make, remove }] of Object.entries(kinds)) {
  test.serial(`a ${what} that another request deletes as soon as it is made has been made`, async (t) => {
    const store = new ThenElse(other.connection, cluster.flags().redis_prefix);
    const index = `${store.keys.prefix}${indexes[what] ?? ''}`;
    store.next = async () => {
      for (const id of await other.redis.zrange(index, '0', '-1')) await remove(id);
    };
    const { id } = await make(store, 'one');
    t.is(await other.redis.zscore(index, id), null);
    await t.notThrowsAsync(make(store, 'one'), 'its name is free again');
    await t.throwsAsync(make(store, 'one'), { message: /already$/ });
  });
}

test.serial('a type that is asked for again while another request deletes it is made again', async (t) => {
  const store = new ThenElse(other.connection, cluster.flags().redis_prefix);
  const type = { id: '00000000-0000-4000-8000-000000000002', name: 'two' };
  await createType(other, type);
  store.next = () => deleteType(other, type.id);
  t.like(await createType(store, type), type);
  t.not(await other.redis.zscore(other.keys.types(), type.id), null);
});

test.serial('a group of a type that is gone is refused, and the error names the type', async (t) => {
  const groups = new GroupCommands(other, await cluster.commands());
  const type = '00000000-0000-4000-8000-000000000001';
  const group = { userId: 'u', projectId: 'p' };
  await t.throwsAsync(groups.create({ ...group, type }), { code: 'GroupTypeNotFound', message: new RegExp(type) });
  const refused = { code: 'TypeNotFound', message: new RegExp(type) };
  await t.throwsAsync(groups.create({ ...group, volumeTypes: [type] }), refused);
});
