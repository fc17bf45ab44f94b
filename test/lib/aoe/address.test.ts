import test from 'ava';
import * as fc from 'fast-check';
import {
  addressesOfShelf,
  compareAddresses,
  devicePath,
  formatAddress,
  kernelName,
  lastShelf,
  lastSlot,
  parseAddress,
  shelfOf,
} from '../../../lib/aoe/address.ts';

const anyAddress = fc.record({ shelf: fc.nat(lastShelf), slot: fc.nat(lastSlot) });

test('every valid address has one text form, which is parsed back', (t) => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      const text = formatAddress(address);
      t.deepEqual(parseAddress(text), address);
    }),
  );
});

test('addresses are ordered by shelf, then by slot, as numbers', (t) => {
  t.deepEqual(['e10.0', 'e2.10', 'e2.9', 'e2.100'].toSorted(compareAddresses), ['e2.9', 'e2.10', 'e2.100', 'e10.0']);
});

test('invalid texts are refused', (t) => {
  const wrong = ['', 'e1', 'e1.', '1.2', 'e01.2', 'e1.02', 'e1.2 ', 'e65535.0', 'e0.255', 'e-1.0', 'e1.2.3', 'E1.2'];
  for (const text of wrong) {
    t.throws(() => parseAddress(text), { code: 'InvalidArgument' }, text);
  }
  t.throws(() => formatAddress({ shelf: 1.5, slot: 0 }), { code: 'InvalidArgument' });
  t.throws(() => formatAddress({ shelf: 1, slot: 255 }), { code: 'InvalidArgument' });
});

test('shelf, slots and device names are derived from an address', (t) => {
  t.is(shelfOf('e7.12'), 7);
  t.deepEqual(addressesOfShelf(3, 2), ['e3.0', 'e3.1']);
  t.is(devicePath('e7.1'), '/dev/etherd/e7.1');
  t.is(kernelName('e7.1'), 'etherd!e7.1');
});
