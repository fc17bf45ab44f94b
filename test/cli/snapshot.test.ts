import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('a snapshot is taken, listed, shown, made a volume of, and deleted', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '2', '--name', 'data', '--project', 'web');
  const taken = await place.run('snapshot', 'create', 'data', '--name', 'before', '--user', 'ann');
  t.like(taken, { exitCode: 0, stderr: '' });
  const id = taken.stdout;
  t.like(await place.json('snapshot', 'show', 'before'), {
    id,
    name: 'before',
    volume,
    size: 2,
    sizeBytes: 2 * 2 ** 30,
    status: 'available',
    userId: 'ann',
    projectId: 'web',
    fault: null,
  });
  t.regex((await place.run('snapshot', 'list', '--volume', 'data')).stdout, /before +2 GiB +available/);
  const update = ['--name', 'before-upgrade', '--description', 'of Monday', '--meta', 'ticket=1'];
  t.is((await place.run('snapshot', 'update', 'before', ...update)).stdout, id);
  t.like(await place.json('snapshot', 'show', 'before-upgrade'), {
    name: 'before-upgrade',
    description: 'of Monday',
    metadata: { ticket: '1' },
  });
  t.is((await place.run('volume', 'wait', 'data')).exitCode, 0);
  t.is((await place.run('snapshot', 'update', id, '--name', 'before', '--unset-meta', 'ticket')).exitCode, 0);
  t.is((await place.run('snapshot', 'update', id)).exitCode, 2);
  t.is((await place.run('volume', 'wait', 'data')).exitCode, 0);
  const listed = await place.json('snapshot', 'list', '--project', 'web');
  t.like(listed, { snapshots: [{ id }], next: null });
  t.like(await place.json('snapshot', 'list', '--project', 'other'), { snapshots: [] });

  const { stdout: copy } = await place.run('volume', 'create', '3', '--snapshot', 'before', '--name', 'copy');
  t.like(await place.json('volume', 'show', 'copy'), { size: 3, fromSnapshot: id, fromVolume: null, isCopying: false });
  const { stdout: clone } = await place.run('volume', 'create', '2', '--source', 'data');
  t.regex((await place.run('volume', 'show', clone)).stdout, new RegExp(`^made from +volume ${volume}$`, 'm'));

  const refused = await place.run('volume', 'delete', 'data', '--json');
  t.is(refused.exitCode, 5);
  t.like(JSON.parse(refused.stderr), { error: { code: 'VolumeHasSnapshots' } });
  t.is((await place.run('snapshot', 'delete', 'before')).stdout, id);
  t.is((await place.run('snapshot', 'show', id)).exitCode, 4);
  t.is((await place.run('volume', 'delete', 'data', copy, clone)).exitCode, 0);
});

test.serial('a volume is deleted with its snapshots, but none of one that is attached', async (t) => {
  const { stdout: volume } = await place.run('volume', 'create', '1', '--name', 'both');
  for (const name of ['one', 'two']) await place.run('snapshot', 'create', 'both', '--name', name);
  await place.run('volume', 'attach', 'both', '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const attached = await place.run('snapshot', 'create', 'both', '--json');
  t.like(JSON.parse(attached.stderr), { error: { code: 'VolumeAttached' } });
  t.is((await place.run('snapshot', 'create', 'both', '--name', 'three', '--force')).exitCode, 0);
  t.is((await place.run('volume', 'delete', 'both', '--cascade')).exitCode, 5);
  const { stdout } = await place.run('snapshot', 'list', '--volume', 'both');
  t.deepEqual(
    ['one', 'two', 'three'].map((name) => stdout.includes(` ${name} `)),
    [true, true, true],
  );
  await place.run('volume', 'detach', 'both');
  t.is((await place.run('volume', 'delete', 'both', '--cascade')).stdout, volume);
  t.like(await place.json('snapshot', 'list'), { snapshots: [] });
});

test.serial('a reserved volume keeps its snapshots; one in error on a lost node is deleted with them', async (t) => {
  const daemon = await place.daemon('n2');
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', 'kept', '--node', 'n2');
  const { stdout: snapshot } = await place.run('snapshot', 'create', 'kept');
  await place.run('attachment', 'create', 'kept', '--instance', 'i-1');
  const refused = await place.run('volume', 'delete', 'kept', '--cascade');
  t.is(refused.exitCode, 5);
  t.regex(refused.stderr, /is reserved for i-1\n/);
  t.like(await place.json('snapshot', 'list', '--volume', 'kept'), { snapshots: [{ id: snapshot }] });

  await daemon.kill();
  const store = await place.store();
  await store.redis.del(store.keys.lease('n2'));
  t.is((await place.run('node', 'lost', 'n2')).exitCode, 0);
  t.like(await place.json('volume', 'show', 'kept'), { status: 'error', attachments: [{ status: 'reserved' }] });
  t.like(await place.run('volume', 'delete', 'kept', '--cascade'), { stdout: id, stderr: '', exitCode: 0 });
  t.like(await place.json('attachment', 'list'), { attachments: [] });
  t.like(await place.json('snapshot', 'list'), { snapshots: [] });
});
