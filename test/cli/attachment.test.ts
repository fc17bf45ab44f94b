import test from 'ava';
import { findVolume } from '../../lib/models/find-volume.ts';
import { changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

/** Attachments in steps, and volumes that several hosts have, on the command line. */

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

/** A volume of that name. */
async function idOf(name: string): Promise<string> {
  return (await findVolume(await place.store(), name)).id;
}

const run = (...args: string[]) => place.run('attachment', ...args);

test.serial('a volume is reserved, its host admitted, the connection printed, and the attachment ended', async (t) => {
  await place.run('volume', 'create', '1', '--name', 'steps');
  const { stdout: id, stderr } = await run('create', 'steps', '--instance', 'i-1', '--host', 'h1');
  t.regex(id, /^[0-9a-f-]{36}$/, stderr);
  t.like(await place.json('volume', 'show', 'steps'), {
    status: 'reserved',
    attachments: [{ id, status: 'reserved' }],
  });
  t.regex((await place.run('volume', 'show', 'steps')).stdout, /^instance +i-1 \(reserved\)$/m);
  const other = await place.run('volume', 'attach', 'steps', '--instance', 'i-2', '--mountpoint', '/dev/vdb');
  t.is(other.exitCode, 5);
  t.regex(other.stderr, new RegExp(`is reserved for i-1\\n.*blockstore attachment delete ${id}`));
  const early = await run('connection', id);
  t.is(early.exitCode, 5);
  t.regex(early.stderr, /is reserved, not connecting or attached/);

  const updated = await run('update', id, '--mountpoint', '/dev/vdc', '--mode', 'ro', '--json');
  t.like(JSON.parse(updated.stdout), {
    id,
    status: 'connecting',
    instanceId: 'i-1',
    hostName: 'h1',
    mountpoint: '/dev/vdc',
    mode: 'ro',
  });
  const store = await place.store();
  const volume = await idOf('steps');
  await store.redis.hset(store.keys.volume(volume), { address: 'e3.7' }); // as of a node with the AoE target
  t.like(JSON.parse((await run('connection', id)).stdout), {
    driver_volume_type: 'aoe',
    data: { target_shelf: 3, target_lun: 7, access_mode: 'ro' },
  });
  t.is((await run('complete', id)).stdout, id);
  t.like(await place.json('attachment', 'show', id), { status: 'attached', volume, fault: null });
  const fault = { code: 'ExportFailed', kind: 'failed', message: 'it hangs', time: 1 };
  await store.redis.hset(store.keys.attachment(id), { fault: JSON.stringify(fault) }); // as of an attach that could not be undone
  t.like(await place.json('attachment', 'show', id), {
    fault: { code: 'ExportFailed', time: '1970-01-01T00:00:00.001Z' },
  });
  t.regex((await run('show', id)).stdout, /^fault +it hangs$/m);
  t.regex((await place.run('volume', 'show', 'steps')).stdout, /^attachment fault +it hangs$/m);
  t.regex((await run('list', '--volume', 'steps')).stdout, new RegExp(`${id} .* attached +i-1 +h1 +/dev/vdc +ro`));
  t.is((await run('delete', id)).stdout, id);
  t.like(await place.json('volume', 'show', 'steps'), { status: 'available', attachments: [] });
  t.regex((await run('list')).stderr, /no attachments/);
  const gone = await run('show', id);
  t.is(gone.exitCode, 4);
  t.regex(gone.stderr, new RegExp(`attachment ${id} does not exist`));
  t.is((await run('show', 'steps')).exitCode, 2);
});

test.serial('a volume of several hosts is detached from the instance that is named, or from this host', async (t) => {
  await place.run('volume', 'create', '1', '--name', 'shared', '--multiattach');
  const store = await place.store();
  const attach = (instance: string, host: string) =>
    place.run('volume', 'attach', 'shared', '--instance', instance, '--mountpoint', '/dev/vdb', '--host', host);
  t.is((await attach('i-1', 'h1')).exitCode, 0);
  t.is((await attach('i-2', 'h2')).exitCode, 0);
  const twice = await attach('i-2', 'h3');
  t.is(twice.exitCode, 5);
  t.regex(twice.stderr, /is attached to i-2\n/);
  t.regex((await place.run('volume', 'list')).stdout, /shared .* i-1, i-2 /);
  const several = await place.run('volume', 'detach', 'shared');
  t.is(several.exitCode, 2);
  t.regex(several.stderr, /is attached to several: i-1 on h1, i-2 on h2\n.*--instance/);
  t.is((await place.run('volume', 'detach', 'shared', '--instance', 'i-1')).exitCode, 0);
  t.is((await place.run('volume', 'detach', 'shared', '--instance', 'i-1')).exitCode, 5);
  t.like(await place.json('volume', 'show', 'shared'), { status: 'in-use', attachments: [{ instanceId: 'i-2' }] });
  await changeAttachment(store, await idOf('shared'), { instanceId: 'i-9' });
  t.is((await place.run('volume', 'detach', 'shared')).exitCode, 0, 'the only one needs no name');
  t.like(await place.json('volume', 'show', 'shared'), { status: 'available', attachments: [] });
});
