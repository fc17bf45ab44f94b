import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { ethernetAddressesOfHost } from '../../../lib/connectors/host-addresses.ts';

test('the addresses of a host are those of its Ethernet interfaces that are up and part of no other', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-net-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const add = async (name: string, address: string, { type = 1, flags = 0x1003, entry = '' } = {}) => {
    await mkdir(join(directory, name, entry), { recursive: true });
    await writeFile(join(directory, name, 'type'), `${type}\n`);
    await writeFile(join(directory, name, 'flags'), `0x${flags.toString(16)}\n`);
    await writeFile(join(directory, name, 'address'), `${address}\n`);
  };
  await add('eth1', '52:54:00:00:00:02');
  await add('eth0', '52:54:00:00:00:01');
  await add('bond0', '52:54:00:00:00:01');
  await add('lo', '00:00:00:00:00:00', { type: 772 });
  await add('down', '52:54:00:00:00:03', { flags: 0x1002 });
  await add('wlan0', '52:54:00:00:00:04', { entry: 'wireless' });
  await add('tap0', '52:54:00:00:00:05', { entry: 'brport' });
  await add('slave', '52:54:00:00:00:06', { entry: 'master' });
  await add('tun0', '', { type: 65_534 });
  await mkdir(join(directory, 'bonding_masters'));
  t.deepEqual(await ethernetAddressesOfHost(directory), ['52:54:00:00:00:01', '52:54:00:00:00:02']);
  await t.notThrowsAsync(ethernetAddressesOfHost());
});
