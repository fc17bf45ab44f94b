import { hostname } from 'node:os';
import test from 'ava';
import { z } from 'zod';
import { nqnOfHost } from '../../lib/connectors/host-nqn.ts';
import { initiatorOfHost } from '../../lib/connectors/initiator-name.ts';
import { defaultInterface } from '../../lib/connectors/properties.ts';
import { readMachineId } from '../../lib/machine.ts';
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
  const { stdout, exitCode } = await place.run('connector');
  t.is(exitCode, 0);
  t.regex(stdout, new RegExp(String.raw`^host +${hostname()}\n`));
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
