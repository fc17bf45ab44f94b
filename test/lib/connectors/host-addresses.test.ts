import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { addressesToAdmit, ethernetAddressesOfHost } from '../../../lib/connectors/host-addresses.ts';

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
  return { directory, add };
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
