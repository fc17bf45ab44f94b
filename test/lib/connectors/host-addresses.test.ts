import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import {
  addressesToAdmit,
  ethernetAddressesOfHost,
  hasAdmittedAddresses,
} from '../../../lib/connectors/host-addresses.ts';

/** A directory as /sys/class/net, and a function that adds an interface to it. */
async function host(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-net-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const add = async (name: string, address: string, { type = 1, flags = 0x1003, entry = '' } = {}) => {
    await mkdir(join(directory, name, entry), { recursive: true });
    await writeFile(join(directory, name, 'type'), `${type}\n`);
    await writeFile(join(directory, name, 'flags'), `0x${flags.toString(16)}\n`);
    await writeFile(join(directory, name, 'address'), `${address}\n`);
  };
  const enslave = (name: string, master: string) => symlink(`../${master}`, join(directory, name, 'master'));
  return { directory, add, enslave };
}

test('the addresses of a host are those of its Ethernet interfaces that are up and part of no other', async (t) => {
  const { directory, add } = await host(t);
  await add('eth1', '52:54:00:00:00:02');
  await add('eth0', '52:54:00:00:00:01');
  await add('bond0', '52:54:00:00:00:01');
  await add('lo', '00:00:00:00:00:00', { type: 772 });
  await add('down', '52:54:00:00:00:03', { flags: 0x1002 });
  await add('wlan0', '52:54:00:00:00:04', { entry: 'wireless' });
  await add('tap0', '52:54:00:00:00:05', { entry: 'brport' });
  await add('slave', '52:54:00:00:00:06', { entry: 'master' });
  await add('tun0', '', { type: 65_534 });
  await writeFile(join(directory, 'bonding_masters'), 'bond0\n');
  t.deepEqual(await ethernetAddressesOfHost(directory), ['52:54:00:00:00:01', '52:54:00:00:00:02']);
  await t.notThrowsAsync(ethernetAddressesOfHost());
});

test('a host is admitted by at least one address, for none would admit all hosts, and by as many as an export takes', async (t) => {
  const { directory, add } = await host(t);
  await add('wlan0', '52:54:00:00:00:04', { entry: 'wireless' });
  const none = await t.throwsAsync(addressesToAdmit('v1', directory), { code: 'ConnectorFailed' });
  t.regex(none.message, /volume v1 .*no Ethernet interface that is up$/);
  const last = (index: number) => index.toString(16).padStart(2, '0');
  for (let index = 0; index < 32; index += 1) await add(`eth${index}`, `52:54:00:00:01:${last(index)}`);
  t.is((await addressesToAdmit('v1', directory)).length, 32);
  await add('eth32', '52:54:00:00:01:ff');
  const many = await t.throwsAsync(addressesToAdmit('v1', directory), { code: 'ConnectorFailed' });
  t.regex(many.message, /33 Ethernet interfaces, and an export admits at most 32$/);
});

test('hardware in a bridge is recorded, by which the host is known, unless the export admits no more', async (t) => {
  const { directory, add } = await host(t);
  await add('br0', '52:54:00:00:00:01', { entry: 'brif/eth0' });
  await add('eth0', '52:54:00:00:00:02', { entry: 'brport' });
  await mkdir(join(directory, 'eth0/device'));
  await add('tap0', '52:54:00:00:00:03', { entry: 'brport' });
  t.deepEqual(await addressesToAdmit('v1', directory), ['52:54:00:00:00:01', '52:54:00:00:00:02']);
  const last = (index: number) => index.toString(16).padStart(2, '0');
  for (let index = 1; index < 32; index += 1) await add(`eth${index}`, `52:54:00:00:01:${last(index)}`);
  const full = await addressesToAdmit('v1', directory);
  t.is(full.length, 32);
  t.false(full.includes('52:54:00:00:00:02'));
});

test('an interface in a VRF sends frames of its own, as does hardware in a team', async (t) => {
  const { directory, add, enslave } = await host(t);
  await add('vrf0', '52:54:00:00:00:01', { flags: 0x481 });
  await add('eth0', '52:54:00:00:00:02');
  await enslave('eth0', 'vrf0');
  await add('team0', '52:54:00:00:00:03');
  await add('eth1', '52:54:00:00:00:04', { entry: 'device' });
  await enslave('eth1', 'team0');
  await add('ovs-system', '52:54:00:00:00:05', { flags: 0x1002 });
  await add('tap0', '52:54:00:00:00:06');
  await enslave('tap0', 'ovs-system');
  const expected = ['52:54:00:00:00:02', '52:54:00:00:00:03', '52:54:00:00:00:04'];
  t.deepEqual(await ethernetAddressesOfHost(directory), expected);
});

for (const [policy, ...ofSlaves] of [
  ['active 1', '52:54:00:00:00:02', '52:54:00:00:00:03', '52:54:00:00:00:04'],
  ['follow 2'],
  ['none 0'],
] as const) {
  test(`the addresses of the interfaces in a bond are used with fail_over_mac "${policy}": ${ofSlaves.length}`, async (t) => {
    const { directory, add, enslave } = await host(t);
    await add('bond0', '52:54:00:00:00:01', { entry: 'bonding' });
    await writeFile(join(directory, 'bond0/bonding/fail_over_mac'), `${policy}\n`);
    await add('eth0', '52:54:00:00:00:02', { entry: 'bonding_slave' });
    await writeFile(join(directory, 'eth0/bonding_slave/perm_hwaddr'), '52:54:00:00:00:02\n');
    await add('eth1', '52:54:00:00:00:03', { entry: 'bonding_slave' });
    await writeFile(join(directory, 'eth1/bonding_slave/perm_hwaddr'), '52:54:00:00:00:04\n');
    for (const name of ['eth0', 'eth1']) await enslave(name, 'bond0');
    t.deepEqual(await ethernetAddressesOfHost(directory), ['52:54:00:00:00:01', ...ofSlaves]);
  });
}

test('an idle bridge is no way to an export', async (t) => {
  const { directory, add } = await host(t);
  await add('eth0', '52:54:00:00:00:01');
  await add('virbr0', '52:54:00:00:00:02', { entry: 'brif' });
  await add('br0', '52:54:00:00:00:03', { entry: 'brif/eth1' });
  t.deepEqual(await ethernetAddressesOfHost(directory), ['52:54:00:00:00:01', '52:54:00:00:00:03']);
});

const virtual = '52:54:00:aa:00:01';
const own = '52:54:00:00:00:01';
const other = '52:54:00:00:00:99';

test('a clone that has only the virtual addresses of another host is not taken for it', async (t) => {
  const { directory, add } = await host(t);
  await add('virbr0', virtual);
  const isHere = (...admitted: string[]) => hasAdmittedAddresses(admitted, directory);
  t.true(await isHere(virtual, other), 'without hardware, as in a container, it is all there is');
  await add('eth0', own, { entry: 'device' });
  t.false(await isHere(virtual, other));
  t.true(await isHere(virtual, own));
  t.true(await isHere(own, other), 'another interface has been removed');
  t.true(await isHere(virtual), 'a bridge alone was given by --mac');
  t.false(await isHere(other));
});

test('a part of a bond is known by its permanent address, for that of the bond can be a virtual one', async (t) => {
  const { directory, add } = await host(t);
  const permanent = '52:54:00:00:00:02';
  await add('bond0', virtual);
  await add('eth0', virtual, { entry: 'device' });
  await mkdir(join(directory, 'eth0/bonding_slave'));
  await writeFile(join(directory, 'eth0/bonding_slave/perm_hwaddr'), `${permanent}\n`);
  t.false(await hasAdmittedAddresses([virtual, other], directory));
  t.true(await hasAdmittedAddresses([permanent, other], directory));
  t.true(await hasAdmittedAddresses([virtual], directory));
});
