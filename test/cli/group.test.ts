import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('a group is created, changed, listed, shown, and deleted with its volumes', async (t) => {
  const volume = async (name: string) =>
    (await place.run('volume', 'create', '0', '--name', name, '--project', 'web')).stdout;
  const [data, log] = [await volume('data'), await volume('log')];
  const { stdout: id } = await place.run('group', 'create', '--name', 'shop', '--project', 'web');
  t.regex(id, /^[0-9a-f-]{36}$/);
  t.like(await place.run('group', 'update', 'shop'), { exitCode: 2 });
  t.like(await place.run('group', 'update', 'shop', '--add', 'data', '--add', 'log'), { exitCode: 0, stdout: id });
  const shown = await place.json('group', 'show', 'shop');
  t.like(shown, { id, name: 'shop', description: null, projectId: 'web', volumes: [data, log] });
  t.like(await place.json('group', 'list', '--project', 'web'), { groups: [{ id, name: 'shop' }], next: null });
  t.regex((await place.run('group', 'list')).stdout, new RegExp(`^${id} +shop +web `, 'm'));
  t.regex((await place.run('group', 'show', 'shop')).stdout, new RegExp(`^volume +${log} log available$`, 'm'));
  t.like(await place.json('volume', 'show', 'data'), { group: id });
  const refused = await place.run('volume', 'delete', 'data');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, new RegExp(`blockstore group update ${id} --remove ${data}`));
  t.like(await place.run('group', 'update', 'shop', '--remove', 'log', '--description', 'of the shop'), {
    exitCode: 0,
  });
  t.like(await place.run('group', 'delete', 'shop'), { exitCode: 5 });
  t.like(await place.run('group', 'delete', 'shop', '--volumes'), { exitCode: 0, stdout: id });
  t.is((await place.run('volume', 'show', data)).exitCode, 4);
  t.like(await place.json('volume', 'show', 'log'), { status: 'available', group: null });
  t.like(await place.json('group', 'list'), { groups: [] });
});

test.serial('a group is of the same project as volumes that were made without one', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '0', '--name', 'plain');
  const { stdout: group } = await place.run('group', 'create', '--name', 'plain');
  t.like(await place.run('group', 'update', 'plain', '--add', 'plain'), { exitCode: 0, stderr: '' });
  t.like(await place.json('group', 'show', 'plain'), { id: group, projectId: 'default', volumes: [volume] });
});

test.serial(
  'an audit takes volumes and snapshots out of groups that Redis has lost, and they can be deleted',
  async (t) => {
    const { stdout: volume } = await place.run('volume', 'create', '0', '--name', 'bound');
    const { stdout: group } = await place.run('group', 'create', '--name', 'lost');
    await place.run('group', 'update', group, '--add', volume);
    const { stdout: groupSnapshot } = await place.run('group-snapshot', 'create', group);
    const { redis, keys } = await place.store();
    await redis.del(keys.group(group), keys.groupSnapshot(groupSnapshot));
    const { exitCode, stdout } = await place.run('audit');
    t.is(exitCode, 1);
    t.regex(stdout, new RegExp(`volume ${volume} is in group ${group}, which has no record`));
    t.regex(stdout, new RegExp(`is one of group snapshot ${groupSnapshot}, which has no record`));
    t.like(await place.run('audit', '--repair'), { exitCode: 0 });
    t.like(await place.run('audit'), { exitCode: 0, stderr: 'no differences' });
    t.like(await place.json('volume', 'show', volume), { group: null });
    t.like(await place.run('volume', 'delete', volume, '--cascade'), { exitCode: 0 });
  },
);

test.serial('a name that several groups have is refused with their ids', async (t) => {
  const create = async () => (await place.run('group', 'create', '--name', 'twice')).stdout;
  const ids = [await create(), await create()];
  const { exitCode, stderr } = await place.run('group', 'show', 'twice');
  t.is(exitCode, 2);
  t.regex(stderr, /^blockstore: twice matches more than one group: .*\n {2}give the full id$/);
  for (const id of ids) t.true(stderr.includes(id));
});

test.serial('a group snapshot is taken, listed, shown and deleted', async (t) => {
  for (const name of ['data', 'index']) await place.run('volume', 'create', '0', '--name', name, '--project', 'lab');
  await place.run('group', 'create', '--name', 'search', '--project', 'lab');
  t.like(await place.run('group-snapshot', 'create', 'search'), { exitCode: 5 });
  await place.run('group', 'update', 'search', '--add', 'data', '--add', 'index');
  const taken = await place.run('group-snapshot', 'create', 'search', '--name', 'before');
  t.like(taken, { exitCode: 0, stderr: '' });
  const id = taken.stdout;
  t.regex(id, /^[0-9a-f-]{36}$/);
  t.is((await place.run('group-snapshot', 'create', 'search', '--name', 'before', '--id', id)).stdout, id);
  const shown = await place.json('group-snapshot', 'show', 'before');
  t.like(shown, { id, name: 'before', status: 'available', projectId: 'lab', fault: null });
  t.regex((await place.run('group-snapshot', 'show', id)).stdout, /^snapshot +[0-9a-f-]{36} of volume [0-9a-f-]{36}$/m);
  t.regex(
    (await place.run('group-snapshot', 'list', '--group', 'search')).stdout,
    new RegExp(`^${id} +before +available `, 'm'),
  );
  t.like(await place.json('group-snapshot', 'list', '--project', 'lab'), { group_snapshots: [{ id }], next: null });
  t.like(await place.json('snapshot', 'list', '--volume', 'data'), {
    snapshots: [{ groupSnapshot: id, name: 'before' }],
  });
  t.like(await place.run('group-snapshot', 'delete', 'befor'), { exitCode: 4 });
  t.like(await place.run('group-snapshot', 'delete', 'before'), { exitCode: 0, stdout: id });
  t.is((await place.run('group-snapshot', 'list')).stderr, 'no group snapshots');
  t.like(await place.json('snapshot', 'list'), { snapshots: [] });
});
