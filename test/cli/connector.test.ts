import { symlink } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import test from 'ava';
import { execa, execaSync } from 'execa';
import { z } from 'zod';
import { nqnOfHost } from '../../lib/connectors/host-nqn.ts';
import { initiatorOfHost } from '../../lib/connectors/initiator-name.ts';
import { defaultInterface } from '../../lib/connectors/properties.ts';
import { readMachineId } from '../../lib/machine.ts';
import { until } from '../support/until.ts';
import { CliPlace } from './place.ts';

const propertiesSchema = z.strictObject({
  platform: z.string().min(1),
  os_type: z.literal('linux'),
  host: z.string(),
  ip: z.string().nullable(),
  initiator: z.string().nullable(),
  nqn: z.string().nullable(),
  ethernet_addresses: z.array(z.string()).min(1).nullable(),
  machine_id: z.string().length(32).nullable(),
  multipath: z.boolean(),
});

test('the connector properties of this host are printed without Redis, and what is absent is null', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  await place.server.stop();
  const properties = propertiesSchema.parse(await place.json('connector'));
  const own = await initiatorOfHost();
  t.is(properties.initiator, 'name' in own ? own.name : null);
  const nqn = await nqnOfHost();
  t.is(properties.nqn, 'name' in nqn ? nqn.name : null);
  t.is(properties.host, hostname());
  t.is(properties.machine_id ?? '', (await readMachineId()).machine);
  t.is(properties.platform, (await execa('uname', ['-m'])).stdout);
  const interfaces = Object.values(networkInterfaces()).flatMap((list = []) =>
    list.filter(({ internal }) => !internal),
  );
  const found = { ips: interfaces.map(({ address }) => address), macs: interfaces.map(({ mac }) => mac) };
  t.true(properties.ip === null ? found.ips.length === 0 : found.ips.includes(properties.ip), properties.ip ?? 'no ip');
  if (new Set(found.macs).size === 1) t.deepEqual(properties.ethernet_addresses, [found.macs[0] ?? '']);
  const { stdout, exitCode } = await place.run('connector');
  t.is(exitCode, 0);
  t.regex(stdout, new RegExp(String.raw`^host +${hostname()}\n`));
});

/** Two Ethernet interfaces and what they have, in a namespace of its own, whose /sys is its own as well. */
const twoInterfaces = `mount -t sysfs sysfs /sys
ip link add v0 address 52:54:00:77:01:02 type veth peer name v1 address 52:54:00:77:01:01
ip addr add 192.0.2.7/24 dev v0
ip addr add 198.51.100.7/24 dev v1
ip link set v0 up
ip link set v1 up`;
const separate = ['--net', '--mount', 'sh', '-ec'];
const canHaveNamespace = execaSync('unshare', [...separate, twoInterfaces], { reject: false }).exitCode === 0;
const withNamespace = canHaveNamespace ? test : test.skip;

withNamespace(
  'the connector properties have each Ethernet address, and the address of the default route',
  async (t) => {
    const place = await CliPlace.start();
    t.teardown(() => place.close());
    const read = async (route: string) => {
      const script = `${twoInterfaces}\n${route}\nexec blockstore connector --json`;
      const { stdout, stderr } = await place.spawn('unshare', [...separate, script]);
      t.is(stderr, '');
      const { ip, ethernet_addresses: addresses } = propertiesSchema.parse(JSON.parse(stdout));
      return { ip, addresses };
    };
    const addresses = ['52:54:00:77:01:01', '52:54:00:77:01:02'];
    t.deepEqual(await read('ip route add default via 198.51.100.1'), { ip: '198.51.100.7', addresses });
    t.deepEqual(await read('ip route add default via 192.0.2.1'), { ip: '192.0.2.7', addresses });
    t.deepEqual(await read('ip link set v0 down; ip link set v1 down; ip addr flush dev v1; ip addr flush dev v0'), {
      ip: null,
      addresses: null,
    });
  },
);

test('the connector properties say whether multipathd runs', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  const isNamed = async () => propertiesSchema.parse(await place.json('connector')).multipath;
  const runsHere = (await execa('pgrep', ['-x', 'multipathd'], { reject: false })).exitCode === 0;
  t.is(await isNamed(), runsHere);
  await symlink('/usr/bin/sleep', place.file('multipathd'));
  const process = execa(place.file('multipathd'), ['600'], { reject: false });
  t.teardown(() => process.kill());
  await until(isNamed, 'multipathd runs');
  t.regex((await place.run('connector')).stdout, /^multipath +yes$/m);
});

test('the address of a host is that of its default route with the lowest metric', (t) => {
  const row = (...fields: string[]) => fields.join('\t');
  const table = [
    row('Iface', 'Destination', 'Gateway', 'Flags', 'RefCnt', 'Use', 'Metric', 'Mask'),
    row('eth0', '004DA8C0', '00000000', '0001', '0', '0', '0', '00FFFFFF'),
    row('wlan0', '00000000', '014DA8C0', '0003', '0', '0', '600', '00000000'),
    row('eth1', '00000000', '014DA8C0', '0003', '0', '0', '100', '00000000'),
    '',
  ].join('\n');
  t.is(defaultInterface(table), 'eth1');
  t.is(defaultInterface(''), undefined);
});
