import test from 'ava';
import { ethernetAddresses, parseEthernetAddress } from '../../../lib/aoe/ethernet.ts';

test('an Ethernet address is read in each of its forms', (t) => {
  for (const text of ['52:54:00:AB:cd:01', '52-54-00-ab-cd-01', '525400abcd01'])
    t.is(parseEthernetAddress(text), '52:54:00:ab:cd:01');
});

test('other texts are refused', (t) => {
  for (const text of ['', '52:54:00:ab:cd', '52:54:00:ab:cd:0g', '5254:00:ab:cd:01', '52:54:00:ab:cd-01'])
    t.throws(() => parseEthernetAddress(text), { code: 'InvalidArgument' }, text);
});

test('a list has each address once, sorted', (t) => {
  t.deepEqual(ethernetAddresses(['52:54:00:00:00:02', '525400000001', '52-54-00-00-00-02']), [
    '52:54:00:00:00:01',
    '52:54:00:00:00:02',
  ]);
});
