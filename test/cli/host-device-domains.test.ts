import { hostname } from 'node:os';
import test from 'ava';
import { readMachineId } from '../../lib/machine.ts';
import { changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

/** A libvirt with a domain that has the device of that address. */
function domainWith(address: string): string {
  const uuid = '00000000-0000-4000-8000-000000000001';
  const disk = `<disk type='block'><source dev='/dev/etherd/${address}'/><target dev='vdc'/></disk>`;
  const definition = `<domain type='kvm'>\n<uuid>${uuid}</uuid>\n${disk}\n</domain>`;
  return `case "$*" in *'list --all'*) echo '${uuid} by hand';; *) cat <<'END'\n${definition}\nEND\n;; esac`;
}

test('a host device that a domain has, given by hand or left in a definition, is in use', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  await place.daemon('n1');
  const virsh = (address: string) => place.fakeProgram('virsh', domainWith(address));
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

const asRoot = process.getuid?.() === 0 ? test : test.skip;

asRoot('a host that reads a volume while another one has it examines the address once that has ended', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  await place.daemon('n1');
  const { stdout: id } = await place.run('volume', 'create', '1');
  await place.run('volume', 'attach', id, '--instance', 'x', '--mountpoint', '/dev/vdb', '--host', 'somewhere');
  const store = await place.store();
  await store.redis.hset(store.keys.volume(id), { address: 'e9.2' });
  await place.fakeProgram('virsh', domainWith('e9.2'));
  await place.fakeProgram('modprobe', 'exit 1');
  // The host reads its address between the record and its request.
  const address = '52:54:00:00:00:01';
  const script = `mount -t tmpfs none /sys/class/net && mkdir /sys/class/net/eth0 && cd /sys/class/net/eth0 || exit 99
    echo 1 >type; echo 0x1003 >flags; mkfifo address
    blockstore volume attach ${id} --host-device &
    exec 3>address
    blockstore volume detach ${id}
    rm address; echo ${address} >address
    echo ${address} >&3; exec 3>&-
    wait $!`;
  const { exitCode, stdout, stderr } = await place.spawn('unshare', ['--mount', 'sh', '-c', script]);
  t.is(stdout, id, 'it is detached');
  t.is(exitCode, 5, stderr);
  t.regex(stderr, /is in use on this host: disk vdc of domain by hand/);
  t.like(await place.json('volume', 'show', id), { attachStatus: 'detached', attachments: [] });
});
