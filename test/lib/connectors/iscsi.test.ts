import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { initiatorOfHost } from '../../../lib/connectors/initiator-name.ts';
import { completeRecord } from '../../../lib/connectors/iscsi-record.ts';
import { connectorOf } from '../../../lib/connectors/registry.ts';
import { formatIscsiAddress } from '../../../lib/iscsi/address.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { survivesKills } from './cut.ts';
import { FakeInitiator } from './fake-initiator.ts';

const MiB = 2 ** 20;
const chap = { user: 'user1', secret: 'secret-of-user1' };

interface Place {
  host: FakeInitiator;
  id: string;
  address: string;
  targetName: string;
  port: number;
  options: { id: string; chap: typeof chap; sizeBytes: number; timeoutMs: number };
}

async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-iscsi-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

/** A fake host, and a portal that accepts connections. */
async function placeFor(t: ExecutionContext, { ip = '127.0.0.1', serial = '', isSilent = false } = {}): Promise<Place> {
  const server = createServer((socket) => socket.on('error', () => {})).listen(0, ip);
  await once(server, 'listening');
  const bound = server.address();
  const port = typeof bound === 'object' && bound ? bound.port : 0;
  if (isSilent) server.close();
  else t.teardown(() => server.close());
  const id = randomUUID();
  const targetName = `iqn.2010-10.org.openstack:volume-${id}`;
  const host = new FakeInitiator(await directoryFor(t), { serial: serial || id, bytes: 100 * MiB });
  const address = formatIscsiAddress({ ip, port, portalGroup: 1, targetName, lun: 1 });
  const options = { id, chap, sizeBytes: 100 * MiB, timeoutMs: 200 };
  return { host, id, address, targetName, port, options };
}

async function hasNothing(t: ExecutionContext, { host, address }: Place): Promise<void> {
  t.false(await host.connector.isOnHost(address));
  t.deepEqual(await readdir(host.sessions).catch(() => []), []);
}

test('fake iscsiadm: a volume is connected by one record that starts nothing at boot and has the secret', async (t) => {
  const place = await placeFor(t);
  const { host, address, options, targetName, port } = place;
  t.deepEqual(await host.connector.connect(address, options), { devicePath: host.file('dev/sdfake') }, 'no udev');
  const lines = (await host.record(targetName, `127.0.0.1,${port},1`)).split('\n');
  const settings = new Set(lines);
  for (const line of [
    'node.startup = manual',
    'node.conn[0].startup = manual',
    'node.session.nr_sessions = 1',
    'node.session.auth.authmethod = CHAP',
    'node.session.auth.username = user1',
    'node.session.auth.password = secret-of-user1',
    'node.session.timeo.replacement_timeout = 300',
  ]) {
    t.true(settings.has(line), line);
  }
  t.false(
    lines.some((line) => /_in =|automatic|somebody/.test(line)),
    'others have other credentials',
  );
  t.is(lines.at(-2), '# END RECORD');
  t.is((await stat(host.file('nodes', targetName, `127.0.0.1,${port},1`, 'default'))).mode & 0o777, 0o600);
  t.false(host.calls.join('\n').includes(chap.secret), 'arguments of commands can be read by all users');
  t.true(host.calls.includes(`blockdev --setrw ${host.file('dev/sdfake')}`));
  t.true(await host.connector.isOnHost(address));

  await host.connector.disconnect(address);
  t.true(host.calls.includes(`blockdev --flushbufs ${host.file('dev/sdfake')}`));
  await hasNothing(t, place);
  const { length } = host.calls;
  await host.connector.disconnect(address);
  t.is(host.calls.length, length, 'absent is success');
});

test('fake iscsiadm: a portal of IPv6 keeps its brackets and port in every call', async (t) => {
  const place = await placeFor(t, { ip: '::1' });
  const { host, address, options, port, targetName } = place;
  await host.connector.connect(address, { ...options, readOnly: true });
  const calls = host.calls.filter((call) => call.includes('--portal'));
  t.is(calls.length, 2);
  t.true(calls.every((call) => call.includes(`--portal [::1]:${port},1 `)));
  t.true(host.calls.includes(`blockdev --setro ${host.file('dev/sdfake')}`));
  t.is(host.connector.devicePath(address), `${host.file('dev')}/disk/by-path/ip-::1:${port}-iscsi-${targetName}-lun-1`);
});

test('fake iscsiadm: a device with another serial number, or none, is refused and removed', async (t) => {
  for (const serial of ['beaf11', randomUUID()]) {
    const place = await placeFor(t, { serial });
    await t.throwsAsync(place.host.connector.connect(place.address, place.options), {
      code: 'ConnectorFailed',
      message: new RegExp(`has the serial number ${serial}: it is not the volume$`),
    });
    await hasNothing(t, place);
  }
  const smaller = await placeFor(t);
  await t.throwsAsync(smaller.host.connector.connect(smaller.address, { ...smaller.options, sizeBytes: 1024 * MiB }), {
    message: /its target has 104857600 bytes, the volume has 1073741824$/,
  });
  await hasNothing(t, smaller);
});

for (const [exitCode, message, hint] of [
  [24, /refuses this host, or the CHAP user and secret/, /volume show/],
  [19, /does not admit this host, or does not exist/, /systemctl restart iscsid/],
  [20, /iscsid of this host does not run/, /systemctl start iscsid/],
  [18, /iscsid of this host does not run/, /systemctl start iscsid/],
  [8, /does not answer: the login was not answered in time/, /node list/],
  [12, /no iSCSI initiator over TCP/, /modprobe iscsi_tcp/],
  [9, /iscsiadm: initiator reported error \(9 - internal error\)/, /journalctl/],
] as const) {
  test(`fake iscsiadm: a login that ends with ${exitCode} is one error, and leaves nothing`, async (t) => {
    const place = await placeFor(t);
    place.host.fails.set('--login', exitCode);
    const error = await t.throwsAsync(place.host.connector.connect(place.address, place.options), {
      code: 'ConnectorFailed',
      message,
    });
    t.regex(String(error && 'hint' in error ? error.hint : ''), hint);
    await hasNothing(t, place);
  });
}

test('fake iscsiadm: a portal where nobody listens is named, and nothing is asked of iscsid', async (t) => {
  const place = await placeFor(t, { isSilent: true });
  await t.throwsAsync(place.host.connector.connect(place.address, place.options), {
    code: 'ConnectorFailed',
    message: new RegExp(`the portal 127.0.0.1:${place.port} does not answer: connection refused$`),
  });
  t.false(place.host.calls.some((call) => call.startsWith('iscsiadm')));
});

test('fake iscsiadm: open-iscsi is not installed', async (t) => {
  const place = await placeFor(t);
  place.host.isInstalled = false;
  const error = await t.throwsAsync(place.host.connector.connect(place.address, place.options), {
    code: 'CommandNotFound',
  });
  t.is(error?.message, 'the command iscsiadm is not installed');
});

test('fake iscsiadm: what an earlier attachment left is replaced, unless it can be of this one', async (t) => {
  for (const state of ['LOGGED_IN', 'FAILED']) {
    const place = await placeFor(t);
    const { host, address, options, targetName } = place;
    await host.logIn(targetName, { state });
    await host.connector.connect(address, { ...options, mayBeInUse: true });
    t.deepEqual(await readdir(host.sessions), ['session1'], 'Redis has lost the attachment');
    await host.connector.connect(address, options);
    t.deepEqual(await readdir(host.sessions), ['session2'], 'with the secret of this attachment');
    await host.connector.disconnect(address);
    await hasNothing(t, place);
  }
});

test('fake iscsiadm: after a reboot, which leaves the record alone, an attached volume is logged in to again', async (t) => {
  const place = await placeFor(t);
  const { host, address, options, targetName, port } = place;
  await host.connector.connect(address, options);
  await rm(host.sessions, { recursive: true });
  const again = await host.connector.connect(address, { ...options, mayBeInUse: true });
  t.deepEqual(again, { devicePath: host.file('dev/sdfake') });
  t.is((await readdir(host.sessions)).length, 1);
  t.true((await host.record(targetName, `127.0.0.1,${port},1`)).includes(chap.secret));
  await host.connector.disconnect(address);
  await hasNothing(t, place);
});

test('fake iscsiadm: a session that iscsid does not end loses its disk, and is in the way of no other', async (t) => {
  const place = await placeFor(t);
  const { host, address, options, targetName, port } = place;
  await host.logIn(targetName, { state: 'FAILED' });
  host.fails.set('--logout', 32);
  await host.connector.disconnect(address, { timeoutMs: 100 });
  t.true(host.calls.includes(`tee ${host.file('sys/block/sdfake/device/delete')}`));
  t.false(await host.connector.isOnHost(address));
  t.regex(host.notes.join('\n'), /^iscsid goes on trying to log in to .*, session 1, until/);
  await host.connector.connect(address, options);
  t.regex(await host.record(targetName, `127.0.0.1,${port},1`), /^node\.session\.nr_sessions = 2$/m);
  host.fails.clear();
  await host.connector.disconnect(address);
  t.deepEqual(await readdir(host.sessions), ['session1']);
  t.false(await host.connector.isOnHost(address), 'its record is gone too');
});

test('fake iscsiadm: a session that iscsid ends a moment later is ended', async (t) => {
  const place = await placeFor(t);
  const { host, address, targetName } = place;
  await host.logIn(targetName, { state: 'FAILED' });
  host.fails.set('--logout', 9);
  host.onCall = () => {
    if (host.calls.filter((call) => call.endsWith('--logout')).length > 1) host.fails.clear();
  };
  await host.connector.disconnect(address);
  await hasNothing(t, place);
});

test('fake iscsiadm: a session that cannot be flushed stays, unless its export is closed', async (t) => {
  const place = await placeFor(t);
  const { host, address, options } = place;
  await host.connector.connect(address, options);
  host.onCall = (call) => {
    if (call.includes('--flushbufs')) throw new Error('Input/output error');
  };
  await t.throwsAsync(host.connector.disconnect(address), { message: /Input\/output error/ });
  t.true(await host.connector.isOnHost(address));
  await host.connector.disconnect(address, { isClosed: true });
  await hasNothing(t, place);
});

test('fake iscsiadm: an attach that is interrupted at any command leaves nothing', async (t) => {
  const place = await placeFor(t);
  const { host, address, options } = place;
  await host.connector.connect(address, options);
  await host.connector.disconnect(address);
  const commands = ['--op new', '--login', '--setrw', 'dd if='];
  t.true(commands.every((command) => host.calls.some((call) => call.includes(command))));
  for (const command of commands) {
    const controller = new AbortController();
    host.onCall = (call) => {
      if (call.includes(command)) controller.abort(new Error('Ctrl-C'));
    };
    // What follows the read is over at once: it may win.
    await host.connector.connect(address, { ...options, signal: controller.signal }).catch(() => {});
    if (!command.startsWith('dd')) await hasNothing(t, place);
  }
});

test('fake iscsiadm: a program that is killed at any command leaves what the next one completes or removes', async (t) => {
  const { host, address, options } = await placeFor(t);
  const entries = async (directory: string) => (await readdir(directory).catch(() => [])).length;
  const count = async () => (await entries(host.sessions)) + (await entries(host.file('nodes')));
  await survivesKills(t, { cut: host.cut, connector: host.connector, address, options, count });
});

test('fake iscsiadm: a grown volume is looked at again', async (t) => {
  const { host, address, options } = await placeFor(t);
  await t.throwsAsync(host.connector.revalidate(address), { message: /it is not connected$/ });
  await host.connector.connect(address, options);
  t.is(await host.connector.revalidate(address, { sizeBytes: 100 * MiB }), 100 * MiB);
  const rescans = () => host.calls.filter((call) => call === 'iscsiadm --mode session --sid 1 --rescan').length;
  t.is(rescans(), 1);
  await t.throwsAsync(host.connector.revalidate(address, { sizeBytes: 200 * MiB, timeoutMs: 2500 }), {
    message: /it has 104857600 bytes instead of 209715200$/,
  });
  t.is(rescans(), 3, 'again where the target had not answered');
});

test('a record of another place or form is none', async (t) => {
  const directory = await directoryFor(t);
  const at = { ip: '127.0.0.1', port: 3260, portalGroup: 1, targetName: 'iqn.2010-10.org.x:v', lun: 1 };
  t.false(await completeRecord(at, { chap, sessions: 1 }, [directory, join(directory, 'absent')]));
});

test('the initiator name of a host is the one that targets compare', async (t) => {
  const file = join(await directoryFor(t), 'initiatorname.iscsi');
  t.regex(JSON.stringify(await initiatorOfHost(file)), /there is no .*apt-get install open-iscsi/);
  const name = 'iqn.1993-08.org.debian:01:abc';
  for (const [text, expected] of [
    [
      `## comment\n# InitiatorName=iqn.1993-08.org.debian:01:old\nInitiatorName=${name}\n`,
      new RegExp(`^{"name":"${name}"}`),
    ],
    [`InitiatorName = ${name}  \n`, new RegExp(`^{"name":"${name}"}`)],
    ['GenerateName=yes\n', /until iscsid has started once.*systemctl start iscsid/],
    ['', /has no iSCSI initiator name.*iscsi-iname/],
    ['InitiatorName=iqn.1993-08.org.debian:01:ABC\n', /capital letters.*lower case/],
    ['InitiatorName=host1\n', /initiator name .*host1.* is not an iqn.*correct it in/],
  ] as const) {
    await writeFile(file, text);
    t.regex(JSON.stringify(await initiatorOfHost(file)), expected, text);
  }
});

test('the connector of a volume follows from the form of its address', (t) => {
  const nameOf = (address: string) => connectorOf(address, { processes: new ChildProcesses() })?.name;
  t.is(nameOf('e7.1'), 'aoe');
  t.is(nameOf('192.0.2.7:3260,1 iqn.2010-10.org.openstack:volume-x 1'), 'iscsi');
  t.is(nameOf(''), undefined);
  t.is(nameOf('rbd:volumes/x'), undefined);
});
