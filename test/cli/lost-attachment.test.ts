import { hostname } from 'node:os';
import test from 'ava';
import { ethernetAddressesOfHost } from '../../lib/connectors/host-addresses.ts';
import { changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

/** A node restores an attachment that Redis has lost from its export: who the host is, is not known. */

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
  await place.daemon('n1');
});
test.after.always(() => place.close());

test.serial(
  'a volume whose attachment Redis has lost is detached by its host, elsewhere only with --force',
  async (t) => {
    const store = await place.store();
    const restored = async (name: string, hosts: string) => {
      const { stdout: id } = await place.run('volume', 'create', '1', '--name', name);
      await place.run('volume', 'attach', name, '--instance', 'i-1', '--mountpoint', '/dev/vdb');
      await changeAttachment(store, id, { hosts, restored: 'true', mountpoint: '' });
    };
    await restored('lost-there', '52:54:00:de:ad:01');
    const refused = await place.run('volume', 'detach', 'lost-there');
    t.is(refused.exitCode, 5);
    t.regex(
      refused.stderr,
      /is attached to a host that Redis has lost; its export admits 52:54:00:de:ad:01\n.*volume attach .*--force/,
    );
    t.is((await place.run('volume', 'detach', 'lost-there', '--force')).exitCode, 0);
    await restored('lost-here', (await ethernetAddressesOfHost())[0] ?? '');
    t.is((await place.run('volume', 'detach', 'lost-here')).exitCode, 0);
  },
);

test.serial('the host of an attachment that Redis has lost attaches the volume again', async (t) => {
  await place.fakeProgram('modprobe', 'exit 1');
  const store = await place.store();
  const own = (await ethernetAddressesOfHost())[0] ?? '52:54:00:de:ad:01';
  const { stdout: id } = await place.run('volume', 'create', '1');
  await place.run('volume', 'attach', id, '--instance', 'unknown', '--mountpoint', '/dev/vdb');
  await changeAttachment(store, id, { hosts: own, restored: 'true', mountpoint: '' });
  await store.redis.hset(store.keys.volume(id), { address: 'e9.3' });
  const { exitCode, stderr } = await place.run('volume', 'attach', id, '--host-device', '--mac', own);
  t.is(exitCode, 1, stderr);
  t.regex(stderr, /could not connect volume e9\.3 to this host: the kernel module aoe cannot be loaded/);
  t.like(await place.json('volume', 'show', id), {
    attachStatus: 'attached',
    attachments: [{ instanceId: hostname(), hosts: [own] }],
  });
});
