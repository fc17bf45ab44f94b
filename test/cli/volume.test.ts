import { randomUUID } from 'node:crypto';
import test from 'ava';
import { insertVolume } from '../support/records.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial('a volume is created, attached, detached and deleted', async (t) => {
  const created = await place.run('volume', 'create', '10', '--name', 'data', '--user', 'ann', '--project', 'web');
  t.is(created.stderr, '');
  t.is(created.exitCode, 0);
  const id = created.stdout;
  t.regex(id, /^[0-9a-f-]{36}$/);

  t.like(await place.json('volume', 'show', 'data'), {
    id,
    name: 'data',
    size: 10,
    sizeBytes: 10 * 2 ** 30,
    status: 'available',
    attachStatus: 'detached',
    userId: 'ann',
    projectId: 'web',
    node: 'n1',
    host: 'n1@fake#fake',
    attachments: [],
    fault: null,
  });

  const attach = ['volume', 'attach', id.slice(0, 8), '--instance', 'i-1', '--host', 'h1', '--mountpoint', '/dev/vdb'];
  t.is((await place.run(...attach, '--mode', 'ro', '--mac', '52:54:00:AA:BB:CC')).stdout, id);
  t.like(await place.json('volume', 'show', id), {
    status: 'in-use',
    attachStatus: 'attached',
    attachments: [
      {
        status: 'attached',
        instanceId: 'i-1',
        hostName: 'h1',
        mountpoint: '/dev/vdb',
        mode: 'ro',
        hosts: ['52:54:00:aa:bb:cc'],
      },
    ],
  });
  const shown = await place.run('volume', 'show', `vol-${id.slice(0, 8)}`);
  t.regex(shown.stdout, /^size +10 GiB$/m);
  t.regex(shown.stdout, /^mount point +\/dev\/vdb$/m);

  const again = await place.run(...attach);
  t.is(again.exitCode, 5);
  t.regex(again.stderr, /^blockstore: volume .* is attached to i-1\n  detach it first: blockstore volume detach /);
  const refused = await place.run('volume', 'delete', id, '--json');
  t.is(refused.exitCode, 5);
  t.like(JSON.parse(refused.stderr), { error: { code: 'VolumeAttached', kind: 'conflict' } });

  t.is((await place.run('volume', 'detach', 'data')).stdout, id);
  t.is((await place.run('volume', 'detach', 'data')).exitCode, 5);
  t.is((await place.run('volume', 'delete', 'data')).stdout, id);
  const gone = await place.run('volume', 'show', 'data');
  t.is(gone.exitCode, 4);
  t.is(gone.stderr, 'blockstore: volume data does not exist\n  list the volumes: blockstore volume list');
});

test.serial('a volume is extended, and never made smaller', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'growing');
  t.deepEqual(await place.run('volume', 'extend', 'growing', '3'), { exitCode: 0, stdout: id, stderr: '' });
  t.like(await place.json('volume', 'show', id), { size: 3, sizeBytes: 3 * 2 ** 30, newSize: null, task: null });
  t.is((await place.run('volume', 'extend', 'growing', '3')).exitCode, 0, 'it has the size');
  await place.run('volume', 'attach', id, '--instance', 'i-1', '--host', 'h1', '--mountpoint', '/dev/vdb');
  t.like(await place.json('volume', 'extend', id, '4'), { size: 4, status: 'in-use', attachStatus: 'attached' });
  const smaller = await place.run('volume', 'extend', id, '2', '--json');
  t.is(smaller.exitCode, 2);
  t.like(JSON.parse(smaller.stderr), { error: { code: 'SizeNotLarger' } });
  t.is((await place.run('volume', 'extend', id, '2000')).exitCode, 2);
  t.is((await place.run('volume', 'extend', 'nosuch', '2')).exitCode, 4);
});

test.serial('size 0 creates 100 MiB', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '0', '--name', 'small');
  t.regex((await place.run('volume', 'show', id)).stdout, /^size +100 MiB$/m);
  t.regex((await place.run('volume', 'list')).stdout, / small +100 MiB +available /);
});

test.serial('two creates with the same id make one volume', async (t) => {
  const id = randomUUID();
  const create = ['volume', 'create', '1', '--id', id, '--project', 'twice'];
  t.is((await place.run(...create)).stdout, id);
  t.is((await place.run(...create)).stdout, id);
  t.is((await place.run('volume', 'list', '--project', 'twice', '--json')).stdout.match(/"id"/g)?.length, 1);
});

test.serial('--no-wait returns the id at once; wait prints the result', async (t) => {
  const { stdout: id } = await place.run('volume', 'create', '1', '--no-wait');
  t.is((await place.run('volume', 'wait', id)).stdout, 'available');
  t.is((await place.run('volume', 'delete', id, '--no-wait')).stdout, id);
  t.is((await place.run('volume', 'wait', id, '--deleted')).exitCode, 0);
});

test.serial('delete accepts several volumes; a missing one does not stop the others', async (t) => {
  const names = ['v1', 'v2', 'v3'];
  for (const name of names) await place.run('volume', 'create', '0', '--name', name);
  const { exitCode, stdout, stderr } = await place.run('volume', 'delete', 'v1', 'nosuch', 'v2', 'v3');
  t.is(exitCode, 4);
  t.is(stdout.split('\n').length, 3);
  t.regex(stderr, /volume nosuch does not exist/);
  t.notRegex((await place.run('volume', 'list')).stdout, / v\d /);
});

test.serial('an unknown node and an ambiguous name are refused', async (t) => {
  const { exitCode, stderr } = await place.run('volume', 'create', '1', '--node', 'nosuch');
  t.is(exitCode, 4);
  t.regex(stderr, /node nosuch does not exist/);
  t.is((await place.run('volume', 'list', '--node', 'nosuch')).exitCode, 4);

  const twins = [
    await place.run('volume', 'create', '0', '--name', 'twin'),
    await place.run('volume', 'create', '0', '--name', 'twin'),
  ];
  const unclear = await place.run('volume', 'show', 'twin');
  t.is(unclear.exitCode, 2);
  for (const { stdout: id } of twins) t.true(unclear.stderr.includes(id));
});

test.serial('control characters in a name do not reach the terminal', async (t) => {
  const store = await place.store();
  const id = randomUUID();
  await insertVolume(store, { id, name: 'a\u001B[2Jb' });
  t.false((await place.run('volume', 'show', id)).stdout.includes('\u001B'));
  t.false((await place.run('volume', 'list')).stdout.includes('\u001B'));
});
