import test from 'ava';
import * as fc from 'fast-check';
import { parseArguments, vbladeArguments } from '../../../../lib/targets/aoe/arguments.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';

const spec: ExportSpec = {
  id: 'b4f5c1f0-0000-4000-8000-000000000000',
  path: '/dev/blockstore/volume-1',
  shelfId: 7,
  bladeId: 1,
  readOnly: false,
  macs: [],
};

const mac = fc
  .array(fc.integer({ min: 0, max: 255 }), { minLength: 6, maxLength: 6 })
  .map((bytes) => bytes.map((byte) => byte.toString(16).padStart(2, '0')).join(':'));

const valid = fc.record({
  id: fc.uuid(),
  path: fc.string({ minLength: 1 }).map((name) => `/dev/${name}`),
  shelfId: fc.integer({ min: 0, max: 65_534 }),
  bladeId: fc.integer({ min: 0, max: 254 }),
  readOnly: fc.boolean(),
  macs: fc.array(mac, { maxLength: 32 }),
});

test('durability says how writes are acknowledged', (t) => {
  const rest = ['7', '1', 'eth1', '/dev/blockstore/volume-1'];
  t.deepEqual(vbladeArguments(spec, 'eth1', 'sync'), ['-d', '-s', ...rest]);
  t.deepEqual(vbladeArguments(spec, 'eth1', 'direct'), ['-d', ...rest]);
  t.deepEqual(vbladeArguments(spec, 'eth1', 'cached'), rest);
});

test('read-only and the list of Ethernet addresses', (t) => {
  const macs = ['52:54:00:77:00:02', '52-54-00-77-00-01', '525400770002', '52:54:00:77:00:02'];
  t.deepEqual(vbladeArguments({ ...spec, readOnly: true, macs }, 'eth1', 'cached'), [
    '-r',
    '-m',
    '525400770001,525400770002',
    '7',
    '1',
    'eth1',
    '/dev/blockstore/volume-1',
  ]);
});

test('number and path are read back from the arguments of every valid export', (t) => {
  fc.assert(
    fc.property(valid, fc.constantFrom('sync', 'direct', 'cached'), (volume, durability) => {
      t.deepEqual(parseArguments(vbladeArguments(volume, 'eth1', durability)), {
        shelfId: volume.shelfId,
        bladeId: volume.bladeId,
        path: volume.path,
      });
    }),
  );
});

test('the order of the Ethernet addresses makes no difference', (t) => {
  fc.assert(
    fc.property(valid, (volume) => {
      const turned = { ...volume, macs: volume.macs.toReversed() };
      t.deepEqual(vbladeArguments(turned, 'eth1', 'sync'), vbladeArguments(volume, 'eth1', 'sync'));
    }),
  );
});

test('numbers outside the protocol are refused, its broadcast addresses first of all', (t) => {
  const outside = (last: number) =>
    fc.oneof(fc.integer({ max: -1 }), fc.integer({ min: last + 1 }), fc.constant(last + 1), fc.constant(1.5));
  fc.assert(
    fc.property(outside(65_534), (shelfId) => {
      t.throws(() => vbladeArguments({ ...spec, shelfId }, 'eth1', 'sync'), {
        code: 'InvalidArgument',
        message: /^shelf .* is not a whole number from 0 to 65534$/,
      });
    }),
  );
  fc.assert(
    fc.property(outside(254), (bladeId) => {
      t.throws(() => vbladeArguments({ ...spec, bladeId }, 'eth1', 'sync'), {
        code: 'InvalidArgument',
        message: /^slot .* is not a whole number from 0 to 254$/,
      });
    }),
  );
});

test('at most 32 Ethernet addresses, each of them one', (t) => {
  const many = Array.from({ length: 33 }, (_, index) => `52:54:00:00:00:${index.toString(16).padStart(2, '0')}`);
  t.throws(() => vbladeArguments({ ...spec, macs: many }, 'eth1', 'sync'), { message: /33 is not at most 32/ });
  t.notThrows(() => vbladeArguments({ ...spec, macs: many.slice(1) }, 'eth1', 'sync'));
  for (const wrong of ['', 'eth0', '52:54:00:00:00', '52:54:00:00:00:0g', '52:54:00:00:00:00,', '52:5400000000']) {
    t.throws(() => vbladeArguments({ ...spec, macs: [wrong] }, 'eth1', 'sync'), { code: 'InvalidArgument' }, wrong);
  }
});

test('a path that vblade could take for an option is refused', (t) => {
  t.throws(() => vbladeArguments({ ...spec, path: '-r' }, 'eth1', 'sync'), { message: /absolute path/ });
});

test('arguments that are none of vblade give nothing', (t) => {
  for (const args of [[], ['7', '1', 'eth0'], ['x', '1', 'eth0', '/dev/sdb'], ['7', '-r', 'eth0', '/dev/sdb']]) {
    t.is(parseArguments(args), undefined);
  }
});
