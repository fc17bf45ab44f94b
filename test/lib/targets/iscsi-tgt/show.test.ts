import test from 'ava';
import { parseConnections, parsePortals, parseTargets } from '../../../../lib/targets/iscsi-tgt/show.ts';

/** What tgtadm 1.0.85 prints, shortened by rows that are not read. */
const targets = `Target 1: iqn.2001-04.com.example:theirs
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
    LUN information:
        LUN: 0
            Type: controller
            SCSI ID: IET     00010000
            SCSI SN: beaf10
            Online: Yes
            Readonly: No
            Backing store path: None
            Backing store flags: 
    Account information:
    ACL information:
        ALL
        192.0.2.0/24
Target 77: iqn.2010-10.org.openstack:volume-1
    System information:
        Driver: iscsi
        State: ready
    I_T nexus information:
        I_T nexus: 3
            Initiator: iqn.1993-08.org.debian:01:aaa alias: compute1
            Connection: 0
                IP Address: 192.0.2.9
    LUN information:
        LUN: 0
            Type: controller
            Backing store path: None
        LUN: 1
            Type: disk
            SCSI ID: 6123456789abcdef6123456789abcdef
            SCSI SN: b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77
            Size: 1074 MB, Block size: 512
            Online: Yes
            Removable media: No
            Readonly: Yes
            Backing store type: rdwr
            Backing store path: /dev/pool/volume-1
            Backing store flags: 
    Account information:
        user123456789012
    ACL information:
        iqn.1993-08.org.debian:01:aaa
`;

test('targets are read with their units, accounts, rules and hosts', (t) => {
  const controller = { lun: 0, path: '', serial: '', isReadOnly: false, isOnline: false };
  t.deepEqual(parseTargets(targets), [
    {
      tid: 1,
      name: 'iqn.2001-04.com.example:theirs',
      initiators: [],
      units: [{ ...controller, serial: 'beaf10', isOnline: true }],
      accounts: [],
      acl: ['ALL', '192.0.2.0/24'],
    },
    {
      tid: 77,
      name: 'iqn.2010-10.org.openstack:volume-1',
      initiators: ['iqn.1993-08.org.debian:01:aaa'],
      units: [
        controller,
        {
          lun: 1,
          path: '/dev/pool/volume-1',
          serial: 'b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77',
          isReadOnly: true,
          isOnline: true,
        },
      ],
      accounts: ['user123456789012'],
      acl: ['iqn.1993-08.org.debian:01:aaa'],
    },
  ]);
  t.deepEqual(parseTargets(''), []);
});

test('connections are read with their sessions, and portals without their groups', (t) => {
  const text =
    'Session: 3\n    Connection: 0\n        Initiator: iqn.1993-08.org.debian:01:aaa\n        IP Address: 192.0.2.9\n' +
    'Session: 4\n    Connection: 1\n        Initiator: iqn.1993-08.org.debian:01:bbb\n        IP Address: 192.0.2.8\n';
  t.deepEqual(parseConnections(text), [
    { session: 3, connection: 0, initiator: 'iqn.1993-08.org.debian:01:aaa' },
    { session: 4, connection: 1, initiator: 'iqn.1993-08.org.debian:01:bbb' },
  ]);
  t.deepEqual(parsePortals('Portal: 192.0.2.7:3260,1\nPortal: [2001:db8::2]:3260,1\n'), [
    '192.0.2.7:3260',
    '[2001:db8::2]:3260',
  ]);
});
