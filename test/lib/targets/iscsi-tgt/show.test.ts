import test, { type ExecutionContext } from 'ava';
import { parseConnections, parsePortals, parseTargets } from '../../../../lib/targets/iscsi-tgt/show.ts';

/** What tgtadm 1.0.85 prints. */
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
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
    Account information:
    ACL information:
        ALL
        192.0.2.0/24
Target 77: iqn.2010-10.org.openstack:volume-b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77
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
            SCSI ID: IET     004d0000
            SCSI SN: beaf770
            Size: 0 MB, Block size: 1
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: No
            SWP: No
            Thin-provisioning: No
            Backing store type: null
            Backing store path: None
            Backing store flags: 
        LUN: 1
            Type: disk
            SCSI ID: 6123456789abcdef6123456789abcdef
            SCSI SN: b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77
            Size: 1074 MB, Block size: 512
            Online: Yes
            Removable media: No
            Prevent removal: No
            Readonly: Yes
            SWP: No
            Thin-provisioning: No
            Backing store type: rdwr
            Backing store path: /dev/pool/volume-1
            Backing store flags: 
    Account information:
        user123456789012
    ACL information:
        iqn.1993-08.org.debian:01:aaa
`;
const connections = `Session: 3
    Connection: 0
        Initiator: iqn.1993-08.org.debian:01:aaa
        IP Address: 192.0.2.9
Session: 4
    Connection: 1
        Initiator: iqn.1993-08.org.debian:01:bbb
        IP Address: 192.0.2.8
`;
const portals = 'Portal: 192.0.2.7:3260,1\nPortal: [2001:db8::2]:3260,1\n';

const unreadable = { code: 'AnswerUnreadable', message: /^"tgtadm --op show --mode (target|conn|portal)" printed .+$/ };

/** Returns what is read of the text; undefined where it is refused by one line that names the command. */
function readOrRefused<T>(t: ExecutionContext, read: (text: string) => T, text: string): T | undefined {
  try {
    return read(text);
  } catch {
    t.throws(() => read(text), unreadable);
    return undefined;
  }
}

test('targets are read with their units, accounts, rules and hosts', (t) => {
  const controller = { lun: 0, path: '', isReadOnly: false, isOnline: true };
  t.deepEqual(parseTargets(targets), [
    {
      tid: 1,
      name: 'iqn.2001-04.com.example:theirs',
      initiators: [],
      units: [{ ...controller, serial: 'beaf10' }],
      accounts: [],
      acl: ['ALL', '192.0.2.0/24'],
    },
    {
      tid: 77,
      name: 'iqn.2010-10.org.openstack:volume-b7e5c0c2-7a4f-4d1c-9d51-3c1f2b0a9e77',
      initiators: ['iqn.1993-08.org.debian:01:aaa'],
      units: [
        { ...controller, serial: 'beaf770' },
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
  t.deepEqual(parseConnections(connections), [
    { session: 3, connection: 0, initiator: 'iqn.1993-08.org.debian:01:aaa' },
    { session: 4, connection: 1, initiator: 'iqn.1993-08.org.debian:01:bbb' },
  ]);
  t.deepEqual(parseConnections(''), []);
  t.deepEqual(parsePortals(portals), ['192.0.2.7:3260', '[2001:db8::2]:3260']);
});

test('a list that ends within a target is refused, at each of its characters', (t) => {
  const second = targets.indexOf('Target 77');
  /** Within a list of rules no end can be seen: tgtadm prints an answer whole or not at all. */
  const rules = /ACL information:(?:\n +\S*)*\n?$/;
  for (let end = 1; end < targets.length; end += 1) {
    const text = targets.slice(0, end);
    const found = readOrRefused(t, parseTargets, text);
    if (end === second) t.is(found?.length, 1);
    else if (rules.test(text)) t.is(found?.length, end < second ? 1 : 2, text);
    else t.is(found, undefined, text);
  }
});

test('a list of connections is refused where it would omit one that has begun', (t) => {
  for (let end = 1; end < connections.length; end += 1) {
    const text = connections.slice(0, end);
    const found = readOrRefused(t, parseConnections, text);
    // A session whose connection has ended stays until its last command has.
    if (found) t.is(found.length, text.match(/^ +C/gm)?.length ?? 0, text);
  }
});

test('answers of another form are refused: none of them means that nothing is there', (t) => {
  const forms = {
    'another indentation': targets.replaceAll('    ', '  '),
    tabs: targets.replaceAll('    ', '\t'),
    'deeper by one level': targets.replaceAll(/^/gm, '    '),
    JSON: '{"targets": []}',
    'other words for a target': targets.replaceAll(/^Target /gm, 'target '),
    'a target without its rules': targets.replaceAll('    ACL information:', '    Access information:'),
    'a unit without its path': targets.replaceAll('Backing store path', 'Path'),
    'another word for Yes': targets.replaceAll('Readonly: Yes', 'Readonly: 1'),
    'a nexus without its initiator': targets.replace('Initiator: ', 'InitiatorName: '),
    'a message in place of the list': 'unknown option --lld\n',
  };
  for (const [form, text] of Object.entries(forms)) t.throws(() => parseTargets(text), unreadable, form);
  for (const text of [connections.replaceAll('Session', 'Sid'), connections.replaceAll('Initiator', 'Name'), 'x']) {
    t.throws(() => parseConnections(text), unreadable, text);
  }
  for (const text of [portals.replaceAll('Portal', 'Address'), portals.replaceAll(',1', ''), 'x']) {
    t.throws(() => parsePortals(text), unreadable, text);
  }
});
