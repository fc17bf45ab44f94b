import test from 'ava';
import * as fc from 'fast-check';
import { formatAddress } from '../../../../lib/aoe/address.ts';
import { ethernetAddresses } from '../../../../lib/aoe/ethernet.ts';
import { parseArguments, vbladeArguments, wholeList } from '../../../../lib/targets/aoe/arguments.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';

const spec: ExportSpec = {
  id: 'b4f5c1f0-0000-4000-8000-000000000000',
  path: '/dev/blockstore/volume-1',
  address: 'e7.1',
  readOnly: false,
  hosts: [],
};

const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));

const valid = fc.record({
  id: fc.uuid(),
  path: fc.string({ minLength: 1 }).map((name) => `/dev/${name}`),
  address: fc
    .record({ shelf: fc.integer({ min: 0, max: 65_534 }), slot: fc.integer({ min: 0, max: 254 }) })
    .map(formatAddress),
  readOnly: fc.boolean(),
  hosts: fc.array(mac, { maxLength: 32 }),
});

test('durability selects how writes are acknowledged', (t) => {
  const rest = ['7', '1', 'eth1', '/dev/blockstore/volume-1'];
  t.deepEqual(vbladeArguments(spec, 'eth1', 'sync'), ['-d', '-s', ...rest]);
  t.deepEqual(vbladeArguments(spec, 'eth1', 'direct'), ['-d', ...rest]);
  t.deepEqual(vbladeArguments(spec, 'eth1', 'cached'), rest);
});

test('read-only mode and Ethernet addresses become arguments', (t) => {
  const hosts = ['52:54:00:77:00:02', '52-54-00-77-00-01', '525400770002', '52:54:00:77:00:02'];
  t.deepEqual(vbladeArguments({ ...spec, readOnly: true, hosts }, 'eth1', 'cached'), [
    '-r',
    '-m',
    '525400770001,525400770002',
    '7',
    '1',
    'eth1',
    '/dev/blockstore/volume-1',
  ]);
});

test('address, path and rights are parsed back from the arguments of every valid export', (t) => {
  fc.assert(
    fc.property(valid, fc.constantFrom('sync', 'direct', 'cached'), (volume, durability) => {
      t.deepEqual(parseArguments(vbladeArguments(volume, 'eth1', durability)), {
        address: volume.address,
        path: volume.path,
        readOnly: volume.readOnly,
        hosts: ethernetAddresses(volume.hosts),
      });
    }),
  );
});

test('the order of the Ethernet addresses makes no difference', (t) => {
  fc.assert(
    fc.property(valid, (volume) => {
      const turned = { ...volume, hosts: volume.hosts.toReversed() };
      t.deepEqual(vbladeArguments(turned, 'eth1', 'sync'), vbladeArguments(volume, 'eth1', 'sync'));
    }),
  );
});

test('addresses outside the protocol are refused, broadcast addresses included', (t) => {
  for (const address of ['e65535.0', 'e7.255', 'e-1.0', '', '7.1']) {
    t.throws(() => vbladeArguments({ ...spec, address }, 'eth1', 'sync'), { code: 'InvalidArgument' }, address);
  }
});

test('at most 32 valid Ethernet addresses are accepted', (t) => {
  const many = Array.from({ length: 33 }, (_, index) => `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`);
  t.throws(() => vbladeArguments({ ...spec, hosts: many }, 'eth1', 'sync'), { message: /33 is not at most 32/ });
  t.notThrows(() => vbladeArguments({ ...spec, hosts: many.slice(1) }, 'eth1', 'sync'));
  for (const wrong of ['', 'eth0', '52:54:00:00:00', '52:54:00:00:00:0g', '52:54:00:00:00:00,', '52:5400000000']) {
    t.throws(() => vbladeArguments({ ...spec, hosts: [wrong] }, 'eth1', 'sync'), { code: 'InvalidArgument' }, wrong);
  }
});

test('a path that vblade could take for an option is refused', (t) => {
  t.throws(() => vbladeArguments({ ...spec, path: '-r' }, 'eth1', 'sync'), { message: /absolute path/ });
});

test('arguments of other programs give no export', (t) => {
  for (const args of [[], ['7', '1', 'eth0'], ['x', '1', 'eth0', '/dev/sdb'], ['7', '-r', 'eth0', '/dev/sdb']]) {
    t.is(parseArguments(args), undefined);
  }
});

test('a list of hosts that a running vblade has cut at its commas is whole again', (t) => {
  const volume = ['1', '2', 'vec0', '/dev/volume'];
  const hosts = ['525400770002', '525400780002', '525400790002'];
  t.deepEqual(wholeList(['-d', '-m', ...hosts, ...volume]), ['-d', '-m', hosts.join(','), ...volume]);
  t.deepEqual(wholeList(['-m', hosts.join(','), ...volume]), ['-m', hosts.join(','), ...volume]);
  t.deepEqual(wholeList(['-d', ...volume]), ['-d', ...volume]);
});
