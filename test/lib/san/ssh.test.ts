import { once } from 'node:events';
import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { posixLine } from '../../../lib/san/quoting.ts';
import type { Dialect } from '../../../lib/san/ssh-shell.ts';
import { type Device, done, posixWords } from '../../support/fake-san/device.ts';
import { SanPlace } from '../../support/fake-san/place.ts';
import { SshStandIn, type StandInOptions, faults, newKey, slow } from '../../support/fake-san/ssh-stand-in.ts';
import { until } from '../../support/until.ts';

const dialect: Dialect = { line: posixLine, shown: (words) => words.join(' ') };
/** Prints its words, one a line. */
const echo: Device = {
  run: (line) =>
    done(
      posixWords(line)
        .map((word) => `${word}\n`)
        .join(''),
    ),
};

async function placeFor(t: ExecutionContext, options: StandInOptions = {}): Promise<SanPlace> {
  const place = await SanPlace.create(echo, options);
  t.teardown(() => place.remove());
  return place;
}

test('commands share one connection, at most eight at a time', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect);
  const answers = await Promise.all(Array.from({ length: 40 }, (_, index) => shell.run(['say', String(index)])));
  t.deepEqual(
    answers.map(({ stdout, exitCode }) => [stdout, exitCode]),
    Array.from({ length: 40 }, (_, index) => [`say\n${index}\n`, 0]),
  );
  t.is(place.server.connections, 1);
  t.true(place.server.maxConcurrent > 1 && place.server.maxConcurrent <= 8, String(place.server.maxConcurrent));
});

test('a word arrives as it was given, whatever its characters', async (t) => {
  const place = await placeFor(t);
  const words = [
    'say',
    '',
    ' ',
    "it's",
    `"'"'`,
    '$HOME',
    '`id`',
    '$(id)',
    ';reboot',
    '&& x',
    '| y',
    '> z',
    '*?[a]',
    '~',
    '#',
    '!',
  ];
  const odd = [...words, '\\', '\\n', 'ä€😀', '--', '-rf', 'a=b', '{a,b}', '(', '\u00A0'];
  const { stdout } = await place.shell(dialect).run(odd);
  t.is(stdout, odd.map((word) => `${word}\n`).join(''));
  for (const control of ['a\nb', 'a\rb', 'a\0b', '\u001B[A', '\u0003']) {
    t.throws(() => dialect.line(['say', control]), { code: 'InvalidArgument' });
  }
});

test('a cut connection is an error, and the next command connects again', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect);
  for (const fault of [faults.cutBefore, faults.cutAfter, faults.half]) {
    place.server.give(fault);
    await t.throwsAsync(shell.run(['say']), { code: 'SanInterrupted', message: /"say" on the storage at admin@127/ });
    t.is((await shell.run(['say'])).stdout, 'say\n');
  }
  place.server.cut();
  await until(async () => (await shell.run(['again'])).stdout === 'again\n', 'it is connected again');
  t.is(shell.failure, undefined);
});

test('a command that asks a question or prints nothing ends at its time limit; others go on', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect);
  await shell.run(['warm']);
  place.server.give(faults.prompt);
  const asking = shell.run(['ask'], { timeoutMs: 5000 });
  await t.throwsAsync(asking, {
    code: 'SanInterrupted',
    message: /within 5 s; it printed "Are you sure \(yes\/no\)\?"$/,
  });
  t.is((await shell.run(['say'])).stdout, 'say\n');
  t.is(place.server.connections, 1);
});

test('an answer that takes much longer than the keepalive arrives, on the same connection', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect, { keepalive: { intervalMs: 100, maxMisses: 2 } });
  place.server.give(slow(2000));
  t.is((await shell.run(['say'])).stdout, 'say\n');
  t.is((await shell.run(['again'])).stdout, 'again\n');
  t.is(place.server.connections, 1);
});

test('a storage that is silent for two intervals of the keepalive goes on where it was, also with other commands', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect, { keepalive: { intervalMs: 500, maxMisses: 4 } });
  await shell.run(['warm']);
  place.server.give(place.server.paused(1000));
  const commands = Array.from({ length: 20 }, (_, index) => shell.run(['say', String(index)]));
  t.deepEqual(
    (await Promise.all(commands)).map(({ stdout }) => stdout),
    Array.from({ length: 20 }, (_, index) => `say\n${index}\n`),
  );
  t.is(place.server.connections, 1);
  t.is(place.server.lines.length, 21);
});

test('a storage that stays silent ends its commands long before their time limit, and the next one connects again', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect, { keepalive: { intervalMs: 100, maxMisses: 4 } });
  await shell.run(['warm']);
  place.server.give(place.server.paused(600_000));
  const first = t.throwsAsync(shell.run(['first']), { code: 'SanInterrupted', message: /was cut$/ });
  await until(() => place.server.lines.length === 2, 'the first command runs');
  await t.throwsAsync(shell.run(['second']), { code: 'SanInterrupted', message: /was cut$/ });
  await first;
  t.is((await shell.run(['again'])).stdout, 'again\n');
  t.is(place.server.connections, 2);
});

test('an aborted command ends with the reason of its signal', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect);
  place.server.give(faults.prompt);
  const controller = new AbortController();
  const asking = shell.run(['ask'], { signal: controller.signal });
  await until(() => place.server.lines.length === 1, 'the command runs');
  controller.abort(new Error('lease lost'));
  await t.throwsAsync(asking, { message: 'lease lost' });
  await t.throwsAsync(shell.run(['say'], { signal: controller.signal }), { message: 'lease lost' });
  t.is(place.server.lines.length, 1);
});

test('a command that is aborted, and a shell that is closed, do not wait for a login that hangs', async (t) => {
  const place = await placeFor(t);
  let logins = 0;
  const silent = createServer(() => {
    logins += 1;
  }).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  t.teardown(() => silent.close());
  const address = silent.address();
  const port = typeof address === 'object' && address ? address.port : 0;
  const shell = place.shell(dialect, { port, connectMs: 600_000 });
  const ending = new AbortController();
  const aborted = shell.run(['say'], { signal: ending.signal });
  const other = t.throwsAsync(shell.run(['say']), { code: 'SanUnreachable' });
  await until(() => logins === 1, 'the storage is connected to');
  ending.abort(new Error('the daemon ends'));
  await t.throwsAsync(aborted, { message: 'the daemon ends' });
  await shell.close();
  await other;
});

test('a wrong password is SanDenied and in no message; keyboard-interactive logins are answered', async (t) => {
  const place = await placeFor(t);
  const shell = place.shell(dialect, { password: 'hunter2' });
  const error = await t.throwsAsync(shell.run(['say']), { code: 'SanDenied' });
  t.false(`${error?.message} ${error?.stack} ${JSON.stringify(error)}`.includes('hunter2'));
  t.is(shell.failure?.code, 'SanDenied');
  const asking = await placeFor(t, { asks: true });
  t.is((await asking.shell(dialect).run(['say'])).stdout, 'say\n');
});

test('a login by private key; a key that cannot be used is SanDenied without its text', async (t) => {
  const keys = newKey();
  const place = await placeFor(t, { publicKey: keys.public });
  const file = path.join(place.directory, 'id_ed25519');
  await writeFile(file, keys.private);
  t.is((await place.shell(dialect, { password: '', privateKey: file }).run(['say'])).stdout, 'say\n');
  await writeFile(file, newKey().private);
  await t.throwsAsync(place.shell(dialect, { password: '', privateKey: file }).run(['say']), { code: 'SanDenied' });
  await writeFile(file, 'not a key: hunter2');
  const unusable = place.shell(dialect, { password: '', privateKey: file }).run(['say']);
  await t.throwsAsync(unusable, {
    code: 'SanDenied',
    message: `the private key ${file} cannot be used: it is not a private key`,
  });
  const absent = place.shell(dialect, { privateKey: `${file}.absent` }).run(['say']);
  await t.throwsAsync(absent, { code: 'SanDenied', message: /ENOENT/ });
});

test('an unknown host key is refused before the login, and the error has the line that makes it known', async (t) => {
  const place = await placeFor(t);
  const refused = place.shell(dialect, { acceptNew: false });
  const error = await t.throwsAsync(refused.run(['say']), { code: 'HostKeyUnknown', message: /SHA256:[\w+/]{43}$/ });
  t.is(place.server.connections, 0);
  const hint = error && 'hint' in error ? String(error.hint) : '';
  t.true(hint.includes(`add this line to ${place.knownHosts}`), hint);
  await mkdir(path.dirname(place.knownHosts));
  await appendFile(place.knownHosts, `# by hand\n${hint.split(': ').at(-1)}\n`);
  t.is((await refused.run(['say'])).stdout, 'say\n');
});

test('with accept-new the first key is written down, for this user alone; for a check nothing is', async (t) => {
  const place = await placeFor(t);
  await place.shell(dialect, { keepNew: false }).run(['say']);
  await t.throwsAsync(stat(place.knownHosts), { code: 'ENOENT' });
  await place.shell(dialect).run(['say']);
  t.regex(await readFile(place.knownHosts, 'utf8'), /^\[127\.0\.0\.1\]:\d+ ssh-ed25519 \S+\n$/);
  t.is((await stat(place.knownHosts)).mode & 0o777, 0o600);
  t.is((await place.shell(dialect, { acceptNew: false }).run(['say'])).stdout, 'say\n');
});

test('a changed host key is refused also with accept-new; the error names the file and the line to remove', async (t) => {
  const place = await placeFor(t);
  await mkdir(path.dirname(place.knownHosts));
  await writeFile(place.knownHosts, `# comment\n`);
  await place.shell(dialect).run(['say']);
  const { port } = place.server;
  await place.server.stop();
  const other = await SshStandIn.start(echo, { port });
  t.teardown(() => other.stop());
  const error = await t.throwsAsync(place.shell(dialect).run(['say']), {
    code: 'HostKeyChanged',
    message: new RegExp(`not the one in line 2 of ${place.knownHosts}$`),
  });
  t.is(error && 'hint' in error ? String(error.hint).split(': ').at(-1) : '', `sed -i 2d ${place.knownHosts}`);
  t.is(other.connections, 0);
});

test('storage that does not answer is SanUnreachable', async (t) => {
  const place = await placeFor(t);
  const closed = place.shell(dialect, { port: 1 });
  await t.throwsAsync(closed.run(['say']), { code: 'SanUnreachable', message: /ECONNREFUSED/ });
  t.is(closed.failure?.code, 'SanUnreachable');
});
