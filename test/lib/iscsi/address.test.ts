import test from 'ava';
import * as fc from 'fast-check';
import { tryParseAddress } from '../../../lib/aoe/address.ts';
import {
  formatIscsiAddress,
  initiatorNames,
  isIscsiName,
  portalText,
  scsiIdentityOf,
  targetNameOf,
  tryParseIscsiAddress,
  tryParsePortal,
  volumeOfTargetName,
} from '../../../lib/iscsi/address.ts';

const prefix = 'iqn.2010-10.org.openstack:';
const id = 'b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77';
const anyPortal = fc.record({ ip: fc.oneof(fc.ipV4(), fc.ipV6()), port: fc.integer({ min: 1, max: 65_535 }) });
const anyAddress = fc
  .record({ portal: anyPortal, id: fc.uuid(), portalGroup: fc.nat(65_535), lun: fc.nat(16_383) })
  .map(({ portal, id: volume, portalGroup, lun }) => {
    const targetName = targetNameOf(prefix, volume);
    return { ip: portal.ip, port: portal.port, portalGroup, targetName, lun };
  });

test('every valid address has one text form, which is parsed back, and is no AoE address', (t) => {
  fc.assert(
    fc.property(anyAddress, (address) => {
      const text = formatIscsiAddress(address);
      t.deepEqual(tryParseIscsiAddress(text), address);
      t.deepEqual(tryParsePortal(portalText(address)), { ip: address.ip, port: address.port });
      t.is(tryParseAddress(text), undefined);
    }),
  );
});

test('the form is that of the family', (t) => {
  const address = { ip: '192.0.2.7', port: 3260, portalGroup: 1, targetName: targetNameOf(prefix, id), lun: 1 };
  t.is(formatIscsiAddress(address), `192.0.2.7:3260,1 iqn.2010-10.org.openstack:volume-${id} 1`);
  t.is(formatIscsiAddress({ ...address, ip: '2001:db8::2' }).split(',')[0], '[2001:db8::2]:3260');
  t.is(volumeOfTargetName(address.targetName), id);
});

test('invalid texts are refused', (t) => {
  const right = `192.0.2.7:3260,1 ${targetNameOf(prefix, id)} 1`;
  t.truthy(tryParseIscsiAddress(right));
  const wrong = [
    '',
    'e1.2',
    ` ${right}`,
    `${right} `,
    right.replace('192.0.2.7', '192.0.2.256'),
    right.replace('192.0.2.7', '2001:db8::2'),
    right.replace('192.0.2.7', '[192.0.2.7]'),
    right.replace('192.0.2.7', 'host1'),
    right.replace(':3260', ''),
    right.replace(':3260', ':0'),
    right.replace(':3260', ':65536'),
    right.replace(',1 ', ',65536 '),
    right.replace(/1$/, '01'),
    right.replace('iqn.2010-10', 'iqn.2010-13'),
    right.toUpperCase(),
    `${right}\n`,
  ];
  for (const text of wrong) t.is(tryParseIscsiAddress(text), undefined, text);
  const bad = { ip: 'host1', port: 3260, portalGroup: 1, targetName: targetNameOf(prefix, id), lun: 1 };
  t.throws(() => formatIscsiAddress(bad), { code: 'InvalidArgument' });
});

test('initiator names are canonical: lower case, sorted, without duplicates', (t) => {
  const given = [' IQN.1993-08.org.debian:01:ABC', 'naa.52004567BA64678D', 'iqn.1993-08.org.debian:01:abc'];
  t.deepEqual(initiatorNames(given), ['iqn.1993-08.org.debian:01:abc', 'naa.52004567ba64678d']);
  t.true(isIscsiName('eui.02004567a425678d'));
  t.deepEqual(initiatorNames([]), []);
  const longest = `iqn.1993-08.org.debian:${'a'.repeat(223 - 23)}`;
  t.deepEqual(initiatorNames([longest]), [longest]);
  const wrong = [
    '',
    'ALL',
    'iqn.1993-08.org.debian:a b',
    'iqn.1993-08.org.debian:a,b',
    'iqn.1993-08.org.debian:',
    'iqn.93-08.org.debian:a',
    '52:54:00:00:00:01',
    '192.0.2.7',
    'eui.0200',
    'naa.xyz',
    `${longest}a`,
    'iqn.1993-08.org.debian:a\niqn.1993-08.org.debian:b',
  ];
  for (const text of wrong) t.throws(() => initiatorNames([text]), { code: 'InvalidArgument' }, text);
});

test('two volumes have no serial number, WWN or number in common', (t) => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.uuid(), { minLength: 2, maxLength: 20 }), (ids) => {
      const identities = ids.map(scsiIdentityOf);
      for (const { serial, wwn, number } of identities) {
        t.regex(wwn, /^6[0-9a-f]{31}$/);
        t.true(serial.length <= 36 && number >= 1 && number < 2 ** 31);
      }
      t.is(new Set(identities.map(({ wwn }) => wwn)).size, ids.length);
      t.is(new Set(identities.map(({ serial }) => serial)).size, ids.length);
    }),
  );
  t.deepEqual(scsiIdentityOf(id), scsiIdentityOf(id));
});
