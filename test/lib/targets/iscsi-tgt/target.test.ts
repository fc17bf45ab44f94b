import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { scsiIdentityOf } from '../../../../lib/iscsi/address.ts';
import type { Log } from '../../../../lib/log.ts';
import { newChap } from '../../../../lib/models/chap.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { checkPortal, checkTgt } from '../../../../lib/targets/iscsi-tgt/check.ts';
import type { ExportSpec } from '../../../../lib/targets/target.ts';
import { freePort } from '../../../support/free-port.ts';
import { until } from '../../../support/until.ts';
import { untilServed } from '../conformance.ts';
import { Place, initiators } from './place.ts';
import { standInLogin, useStandIns } from './stand-in.ts';

useStandIns();

const [host, otherHost] = initiators;

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create(standInLogin);
  t.teardown(() => place.remove());
  return place;
}

async function volumeOf(place: Place, fields: Partial<ExportSpec> = {}): Promise<ExportSpec> {
  return { ...(await place.volume()), hosts: [host], chap: newChap(), ...fields };
}

/** A log whose lines can be searched. */
function recording(): { log: Log; lines: string[] } {
  const lines: string[] = [];
  const note = (message: string, fields?: object) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  return { lines, log: { error: note, warn: note, info: note, debug: note } };
}

test('a killed tgtd is started again with its exports, their rights and their data', async (t) => {
  const place = await placeFor(t);
  const { log, lines } = recording();
  const target = await place.target({}, { log });
  const specs = [await volumeOf(place), await volumeOf(place, { readOnly: true })] as const;
  for (const spec of specs) await target.ensureExport(spec);
  const session = await place.login(specs[0], host, specs[0].chap);
  const data = Buffer.alloc(512, 7);
  await session.write(0, data);
  await place.kill();
  await untilServed(place, specs[0], host, data);
  await untilServed(place, specs[1], host, Buffer.alloc(512));
  for (const spec of specs) {
    t.deepEqual(
      (await target.listExports()).find(({ id }) => id === spec.id),
      spec,
    );
    await t.throwsAsync(place.login(spec, otherHost, spec.chap));
  }
  await until(() => target.problems().length === 0, 'it is no problem any longer');
  t.true(lines.some((line) => /has ended|does not serve/.test(line)));
  t.false(lines.some((line) => line.includes(specs[0].chap?.secret ?? '')));
});

test('exports that somebody removes or opens are restored', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const specs = [await volumeOf(place), await volumeOf(place)] as const;
  for (const spec of specs) await target.ensureExport(spec);
  const [removed, opened] = await place.adm.targets();
  await place.adm.deleteTarget(removed?.tid ?? 0);
  await place.adm.admit(opened?.tid ?? 0, 'ALL');
  const isRight = async () =>
    JSON.stringify((await target.listExports()).map(({ hosts }) => hosts)) === JSON.stringify([[host], [host]]);
  await until(isRight, 'both are as specified');
  t.deepEqual(await place.users(specs[0]), []);
});

test('a tgtd whose lock file or socket somebody removes is found, replaced where it cannot be reached, and never doubled', async (t) => {
  const place = await placeFor(t);
  const directory = join(place.directory, 'iscsi');
  const before = await place.target();
  const spec = await volumeOf(place);
  await before.ensureExport(spec);
  await before.close();
  const first = await place.daemon();
  await rm(join(directory, 'tgtd.lock'));
  const after = await place.target();
  t.deepEqual(await place.daemon(), first);
  await after.ensureExport(spec);
  await (await place.login(spec, host, spec.chap)).close();
  await rm(join(directory, 'tgtd.sock.0'));
  await until(async () => {
    const daemon = await place.daemon();
    return daemon !== undefined && daemon.pid !== first?.pid;
  }, 'another one runs');
  await until(async () => {
    await (await place.login(spec, host, spec.chap)).close();
    return true;
  }, 'another one serves the export');
  await rm(join(directory, 'tgtd.lock'));
  await after.removeExport(spec.id);
  await t.throwsAsync(place.login(spec, host, spec.chap));
});

test('an export that is being made is not taken for one that tgtd has lost', async (t) => {
  const place = await placeFor(t);
  const { log, lines } = recording();
  const target = await place.target({}, { log });
  for (let round = 0; round < 5; round += 1) {
    const spec = await volumeOf(place);
    await target.ensureExport(spec);
    await target.removeExport(spec.id);
  }
  t.false(lines.some((line) => line.includes('rebuilt')));
});

test('targets that are not ours are listed without an id, and left alone', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await place.adm.newTarget(1, 'iqn.2001-04.com.example:theirs');
  await place.adm.newUnit(1, 1, spec.path, { readonly: '1' });
  await target.ensureExport(spec);
  const theirs = (await target.listExports()).find(({ id }) => id === undefined);
  t.like(theirs, {
    path: spec.path,
    readOnly: true,
    address: `127.0.0.1:${place.port},1 iqn.2001-04.com.example:theirs 1`,
  });
  await target.removeExport(spec.id);
  await target.close();
  const later = await place.target();
  t.deepEqual(
    (await later.listExports()).map(({ id }) => id),
    [undefined],
  );
});

test('the program that holds the port is named, also by doctor, and no tgtd stays', async (t) => {
  const place = await placeFor(t);
  const wildcard = createServer().listen(place.port, '0.0.0.0');
  await once(wildcard, 'listening');
  t.teardown(() => wildcard.close());
  const taken = { code: 'PortalUnusable', message: new RegExp(`127.0.0.1:${place.port}: .*process ${process.pid}`) };
  await t.throwsAsync(place.target(), taken);
  t.is(await place.daemon(), undefined);
  const flags = { iscsi_ip_address: '127.0.0.1', iscsi_port: place.port };
  await t.throwsAsync(checkPortal(flags), taken);
  await t.throwsAsync(checkPortal({ ...flags, iscsi_ip_address: '192.0.2.77' }), {
    code: 'PortalUnusable',
    message: /does not have the address 192.0.2.77/,
  });
  wildcard.close();
  await once(wildcard, 'close');
  await place.target();
  t.regex((await checkPortal(flags)).message, /served by the tgtd of this node/);
  t.like(await checkTgt(new ChildProcesses()), { level: 'ok' });
});

test('a tgtd that listens elsewhere, as its port was taken meanwhile, is ended', async (t) => {
  const place = await placeFor(t);
  const directory = join(place.directory, 'iscsi');
  await mkdir(directory, { recursive: true });
  await writeFile(join(directory, 'tgtd.sock.taken'), '');
  await t.throwsAsync(place.target(), { code: 'TargetDaemonFailed', message: /listens on 0\.0\.0\.0:3260/ });
  t.is(await place.daemon(), undefined);
});

test('two volumes show different serial numbers and numbers, also on two nodes', async (t) => {
  const places = [await placeFor(t), await placeFor(t)];
  const shown = [];
  for (const place of places) {
    const target = await place.target();
    const spec = await volumeOf(place);
    await target.ensureExport(spec);
    const [made] = await place.adm.targets();
    t.is(made?.units[1]?.serial, spec.id);
    t.is(made?.tid, scsiIdentityOf(spec.id).number);
    shown.push(made?.tid);
  }
  t.is(new Set(shown).size, 2);
});

test('a number that another target has is passed over', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  const { number } = scsiIdentityOf(spec.id);
  await place.adm.newTarget(number, 'iqn.2001-04.com.example:theirs');
  await target.ensureExport(spec);
  t.deepEqual(new Set((await place.adm.targets()).map(({ tid }) => tid)), new Set([number, number + 1]));
});

test('an export whose unit has commands in it is removed when they have ended', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const session = await standInLogin(spec, host, spec.chap);
  await session.request('BUSY');
  await target.removeExport(spec.id);
  t.deepEqual(await place.adm.targets(), []);
  await session.close();
});

test('what a node keeps of exports is for root alone, and what a crash left half made is removed', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const directory = join(place.directory, 'iscsi', 'exports');
  t.is((await stat(join(directory, `${spec.id}.json`))).mode & 0o777, 0o600);
  t.is((await stat(directory)).mode & 0o777, 0o700);
  await writeFile(join(directory, `${spec.id}.json.new`), '{');
  await place.target();
  t.deepEqual(await readdir(directory), [`${spec.id}.json`]);
});

test('a portal that has changed ends the former tgtd, and exports start at the new one', async (t) => {
  const place = await placeFor(t);
  const before = await place.target();
  const spec = await volumeOf(place);
  await before.ensureExport(spec);
  await before.close();
  const former = await place.daemon();
  const portal = { ip: '127.0.0.1', port: await freePort() };
  const after = await place.target({ portal, targetPrefix: 'iqn.2024-01.com.example:' });
  t.not((await place.daemon())?.pid, former?.pid);
  const moved = { ...spec, address: after.addressOf(spec.id) };
  await after.ensureExport(moved);
  t.deepEqual((await after.listExports())[0], moved);
  await (await place.login(moved, host, moved.chap)).close();
});

test('a tgtd that a signal has stopped is a problem of all exports', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const { pid } = await place.kill('SIGSTOP');
  await until(
    () => target.problems().some(({ error }) => error.message.includes(`kill -CONT ${pid}`)),
    'it is reported',
  );
  process.kill(pid, 'SIGCONT');
  t.deepEqual(target.problems(), []);
});

test('a failure names its reason and not the secret, and leaves nothing', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  const failing = new ChildProcesses();
  const run = failing.run.bind(failing);
  failing.run = (command, args, options) => run(args.includes('account') ? 'false' : command, args, options);
  const other = place.made({}, { processes: failing });
  await other.setup();
  const error = await t.throwsAsync(other.ensureExport(spec), { code: 'ExportFailed' });
  t.false(JSON.stringify([error, error?.stack, error?.message, error?.cause]).includes(spec.chap?.secret ?? ''));
  t.deepEqual(await place.adm.targets(), []);
  for (const path of ['relative', join(place.directory, 'a,b')]) {
    await t.throwsAsync(target.ensureExport({ ...spec, path }), { code: 'InvalidArgument' });
  }
  await t.throwsAsync(target.ensureExport({ ...spec, path: place.directory }), { code: 'ExportFailed' });
  await t.throwsAsync(target.ensureExport({ ...spec, hosts: ['52:54:00:00:00:01'] }), { code: 'InvalidArgument' });
});

test('of exports that are made at once each takes six commands, and all of them few lists', async (t) => {
  const place = await placeFor(t);
  const calls: string[] = [];
  const watched = new ChildProcesses();
  const run = watched.run.bind(watched);
  watched.run = (command, args, options) => {
    calls.push([command, ...args].join(' '));
    return run(command, args, options);
  };
  const target = place.made({}, { processes: watched });
  await target.setup();
  await target.close(); // its watch lists as well
  const specs = await Promise.all(Array.from({ length: 10 }, () => volumeOf(place)));
  calls.length = 0;
  await Promise.all(specs.map((spec) => target.ensureExport(spec)));
  const lists = calls.filter((call) => call.includes('--op=show'));
  t.is(calls.length - lists.length, 6 * specs.length);
  t.true(lists.length <= specs.length, String(lists.length));
  t.is((await target.listExports()).length, specs.length);
});

test('while tgtadm prints another form, no export is taken for absent, and none for removed', async (t) => {
  const place = await placeFor(t);
  const target = await place.target();
  const spec = await volumeOf(place);
  await target.ensureExport(spec);
  const session = await place.login(spec, host, spec.chap);
  const upgraded = new ChildProcesses();
  const run = upgraded.run.bind(upgraded);
  upgraded.run = async (command, args, options) => {
    const { stdout, stderr } = await run(command, args, options);
    return { stdout: args.includes('target') ? stdout.replaceAll('    ', '  ') : stdout, stderr };
  };
  const other = place.made({}, { processes: upgraded });
  const unreadable = { code: 'AnswerUnreadable', message: /^"tgtadm --op show --mode target" printed/ };
  await t.throwsAsync(other.setup(), unreadable);
  for (const request of [
    () => other.listExports(),
    () => other.removeExport(spec.id),
    () => other.ensureExport(spec),
    () => other.resizeExport(spec),
  ]) {
    await t.throwsAsync(request(), unreadable);
  }
  t.deepEqual(await other.listTraces(), [spec.id], 'what is to be removed is known');
  await session.write(0, Buffer.alloc(512, 7));
  t.deepEqual(await target.listExports(), [spec]);
});

test('durability determines whether tgtd writes to the disk before it answers', async (t) => {
  const place = await placeFor(t);
  const calls: string[] = [];
  const watched = new ChildProcesses();
  const run = watched.run.bind(watched);
  watched.run = (command, args, options) => {
    calls.push(args.join(' '));
    return run(command, args, options);
  };
  const spec = await volumeOf(place);
  for (const [durability, byte] of [
    ['sync', '0x10'],
    ['cached', '0x14'],
  ] as const) {
    const target = place.made({ durability }, { processes: watched });
    await target.setup();
    await target.ensureExport(spec);
    await target.close();
    t.true(
      calls.some((call) => call.includes(`mode_page=8:0:18:${byte}:`)),
      durability,
    );
  }
});

test('without tgt the missing package is named', async (t) => {
  const place = await placeFor(t);
  const missing = new ChildProcesses();
  missing.run = (command, args, options) =>
    ChildProcesses.prototype.run.call(missing, command.startsWith('tgt') ? 'no-such-command' : command, args, options);
  await t.throwsAsync(checkTgt(missing), { code: 'CommandNotFound', message: /tgtd/ });
  t.false(existsSync(join(place.directory, 'iscsi')));
});
