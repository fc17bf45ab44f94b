import test from 'ava';
import { ethernetAddresses, hostAddresses, parseEthernetAddress } from '../../../lib/aoe/ethernet.ts';

test('an Ethernet address is parsed in each of its forms', (t) => {
  for (const text of ['52:54:00:AB:cd:01', '52-54-00-ab-cd-01', '525400abcd01'])
    t.is(parseEthernetAddress(text), '52:54:00:ab:cd:01');
});

test('invalid texts are refused', (t) => {
  for (const text of ['', '52:54:00:ab:cd', '52:54:00:ab:cd:0g', '5254:00:ab:cd:01', '52:54:00:ab:cd-01'])
    t.throws(() => parseEthernetAddress(text), { code: 'InvalidArgument' }, text);
});

test('an address that no frame comes from is no host of an export', (t) => {
  for (const text of ['ff:ff:ff:ff:ff:ff', '01-00-5e-00-00-01', '333300000001', '00:00:00:00:00:00']) {
    const message = new RegExp(`${text}" is not the address of one machine`);
    t.throws(() => hostAddresses(['52:54:00:00:00:01', text]), { code: 'InvalidArgument', message }, text);
  }
  t.deepEqual(hostAddresses(['525400000002', '52:54:00:00:00:01']), ['52:54:00:00:00:01', '52:54:00:00:00:02']);
});

test('a list of Ethernet addresses is sorted and without duplicates', (t) => {
  t.deepEqual(ethernetAddresses(['52:54:00:00:00:02', '525400000001', '52-54-00-00-00-02']), [
    '52:54:00:00:00:01',
    '52:54:00:00:00:02',
  ]);
});
