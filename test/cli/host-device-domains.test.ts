import { hostname } from 'node:os';
import test from 'ava';
import { readMachineId } from '../../lib/machine.ts';
import { changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

test('a host device that a domain has, given by hand or left in a definition, is in use', async (t) => {
  const uuid = '00000000-0000-4000-8000-000000000001';
  const definition = (address: string) => `<domain type='kvm'>
  <uuid>${uuid}</uuid>
  <disk type='block'><source dev='/dev/etherd/${address}'/><target dev='vdc'/></disk>
</domain>`;
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  await place.daemon('n1');
  const virsh = (address: string) =>
    place.fakeProgram(
      'virsh',
      `case "$*" in *'list --all'*) echo '${uuid} by hand';; *) cat <<'END'\n${definition(address)}\nEND\n;; esac`,
    );
  await virsh('e9.2');
  const { machine } = await readMachineId();
  const fields = { hostId: machine, hostName: hostname(), mountpoint: '/dev/etherd/e9.2' };
  const { stdout: id } = await place.run('volume', 'create', '1', '--name', 'lent');
  await place.run('volume', 'attach', 'lent', '--instance', 'x', '--mountpoint', '/dev/vdb');
  const store = await place.store();
  await changeAttachment(store, id, fields);
  await store.redis.hset(store.keys.volume(id), { address: 'e9.2' });
  const refused = await place.run('volume', 'detach', 'lent');
  t.is(refused.exitCode, 5, refused.stderr);
  t.regex(
    refused.stderr,
    /^blockstore: \/dev\/etherd\/e9\.2 is in use on this host: disk vdc of domain by hand \(to release it: virsh detach-disk 'by hand' vdc /,
  );
  t.like(await place.json('volume', 'show', id), { attachStatus: 'attached' });
  const forced = await place.run('volume', 'detach', id, '--force');
  t.is(forced.exitCode, 0);
  t.regex(forced.stderr, /^detached, but not cleaned up on this host: .*disk vdc of domain by hand/);

  await virsh((await store.redis.hget(store.keys.volume(id), 'address')) ?? '');
  const attached = await place.run('volume', 'attach', id, '--host-device');
  t.is(attached.exitCode, 5, attached.stderr);
  t.regex(attached.stderr, /is in use on this host: disk vdc of domain by hand/);
  t.is(await store.redis.hget(store.keys.volume(id), 'attachStatus'), 'detached');
});
