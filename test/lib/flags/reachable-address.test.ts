import test from 'ava';
import { iscsiFlags } from '../../../lib/iscsi/flags.ts';
import { sanFlags } from '../../../lib/san/flags.ts';
import { sheepdogFlags } from '../../../lib/sheepdog/flags.ts';

const schemas = {
  iscsi_ip_address: iscsiFlags.iscsi_ip_address.schema,
  san_ip: sanFlags.san_ip.schema,
  sheepdog_address: sheepdogFlags.sheepdog_address.schema,
};

/** Returns what is wrong with a value; '' where nothing is. */
function problem(name: keyof typeof schemas, value: string): string {
  return (
    schemas[name]
      .safeParse(value)
      .error?.issues.map(({ message }) => message)
      .join() ?? ''
  );
}

test('addresses that are given to hosts are those that hosts can reach', (t) => {
  for (const name of ['iscsi_ip_address', 'san_ip', 'sheepdog_address'] as const) {
    for (const right of [
      '192.0.2.7',
      '127.0.0.1',
      '169.254.1.7',
      '2001:db8::7',
      'fd77::11',
      '::1',
      '::ffff:192.0.2.7',
    ]) {
      t.is(problem(name, right), '', `${name} ${right}`);
    }
    for (const [wrong, reason] of [
      ['fe80::1', 'is link-local'],
      ['FEBF::1', 'is link-local'],
      ['fe80::1%eth0', 'is link-local'],
      ['ff02::1', 'is for multicast or broadcast'],
      ['224.0.0.1', 'is for multicast or broadcast'],
      ['239.255.255.250', 'is for multicast or broadcast'],
      ['255.255.255.255', 'is for multicast or broadcast'],
      ['::ffff:224.0.0.1', 'is for multicast or broadcast'],
      ['0.0.0.0', 'is that of all addresses'],
      ['::', 'is that of all addresses'],
      ['0:0:0:0:0:0:0:0', 'is that of all addresses'],
      ['::ffff:0.0.0.0', 'is that of all addresses'],
    ] as const) {
      t.is(problem(name, wrong), `must be an address that hosts can reach: ${wrong} ${reason}`, name);
    }
    for (const wrong of ['host1', '[::1]', '192.0.2.7:3260', '192.0.2.7,192.0.2.8', ' 192.0.2.7']) {
      t.is(problem(name, wrong), 'must be one IPv4 or IPv6 address, without brackets', name);
    }
    t.regex(problem(name, '2001:db8::7%eth0'), /without an interface: %eth0$/);
  }
  t.is(problem('iscsi_ip_address', ''), '');
  t.is(problem('san_ip', ''), '');
  t.not(problem('sheepdog_address', ''), '');
});
