import { chmod, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { driverOf } from '../../../lib/drivers/registry.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { LocalShell } from '../../../lib/san/local-shell.ts';
import { SolarisCommands } from '../../../lib/san/solaris/commands.ts';
import { posixLine } from '../../../lib/san/quoting.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { silentLog } from '../../../lib/log.ts';
import { targetOf } from '../../../lib/targets/registry.ts';
import { LocalCommands } from '../../support/fake-san/local-commands.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { foundAs, spec } from '../drivers/conformance.ts';
import { oddLabels } from '../drivers/subject.ts';

const shell = new LocalShell(new ChildProcesses(), { shown: (words) => words.join(' ') });

test('a command of this host gives its output and exit code, also when it fails', async (t) => {
  t.deepEqual(await shell.run(['printf', 'a\\nb\\n']), { stdout: 'a\nb\n', stderr: '', exitCode: 0 });
  t.deepEqual(await shell.run(['true']), { stdout: '', stderr: '', exitCode: 0 });
  t.deepEqual(await shell.run(['sh', '-c', 'echo no >&2; exit 3']), { stdout: '', stderr: 'no', exitCode: 3 });
  await t.throwsAsync(shell.run(['no-such-command']), { code: 'CommandNotFound' });
  await t.throwsAsync(shell.run(['sleep', '60'], { timeoutMs: 50 }), { code: 'SanInterrupted' });
  await t.throwsAsync(shell.run(['sleep', '60'], { signal: AbortSignal.abort(new Error('lost')) }), {
    message: 'lost',
  });
});

test('a real shell passes on each word as it was given', async (t) => {
  const odd = [
    '',
    ' ',
    "it's",
    `"'"'`,
    '$HOME',
    '`id`',
    '$(id)',
    ';x',
    '&& x',
    '| y',
    '> z',
    '*',
    '~',
    '#',
    '!',
    '\\',
    'ä€😀',
    '-rf',
    '{a,b}',
    '(',
  ];
  const line = posixLine(['printf', '%s\\n', ...odd]);
  const { stdout } = await shell.run(['sh', '-c', line]);
  t.is(stdout, odd.map((word) => `${word}\n`).join(''));
});

test('a command reads what it is given, and nothing else', async (t) => {
  t.is((await shell.run(['cat'], { input: 'a\nb\n' })).stdout, 'a\nb\n');
  t.is((await shell.run(['cat'])).stdout, '');
});

test('a real shell hands a secret to a command in a file for its user alone, and removes that', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-secret-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = (name: string) => join(directory, name);
  const program = `#!/bin/sh
echo "$*" >${file('words')}; stat -c %a "$4" >${file('mode')}; cat "$4" >${file('secret')}; echo "$4" >${file('path')}
cat ${file('answer')}; exit $(cat ${file('code')})`;
  await writeFile(file('pfexec'), program);
  await chmod(file('pfexec'), 0o755);
  const words = ['env', `PATH=${directory}:${process.env['PATH']}`];
  const run = (given: readonly string[], options: object) => shell.run([...words, ...given], options);
  const commands = new SolarisCommands({
    where: 'here',
    failure: undefined,
    changes: shell.changes,
    run,
    close: async () => {},
  });
  const set = () => commands.withSecret(['itadm', 'create-initiator'], ['-u', 'user', 'iqn.x'], 'secret1234567890');
  for (const [answer, code] of [
    ['', 0],
    ['refused\n', 22],
  ] as const) {
    await writeFile(file('answer'), answer);
    await writeFile(file('code'), String(code));
    if (code === 0) await set();
    else
      await t.throwsAsync(set(), { code: 'SanCommandFailed', message: /itadm create-initiator -S FILE.*: refused$/ });
    const path = (await readFile(file('path'), 'utf8')).trim();
    t.is(await readFile(file('words'), 'utf8'), `itadm create-initiator -S ${path} -u user iqn.x\n`);
    t.is(await readFile(file('mode'), 'utf8'), '600\n');
    t.is(await readFile(file('secret'), 'utf8'), 'secret1234567890\n');
    t.false((await readdir('/tmp')).includes(path.replace('/tmp/', '')));
  }
});

/** Driver and target of a daemon with san_is_local, by its flags. */
async function backendOfThisHost(t: ExecutionContext) {
  const state_dir = await mkdtemp(join(tmpdir(), 'blockstore-local-'));
  t.teardown(() => rm(state_dir, { recursive: true }));
  const embedded = {
    storage_name: 'n1',
    state_dir,
    volume_driver: 'solaris',
    volume_target: 'solaris',
    san_is_local: 'true',
    san_ip: '192.0.2.9',
    san_zfs_volume_base: 'tank/',
  };
  const [{ flags }] = loadFlags({ embedded }).backends;
  const context = { processes: new ChildProcesses(), log: silentLog, backend: '' };
  const [driver, target] = await Promise.all([
    driverOf(flags).make(flags, context),
    targetOf(flags).make(flags, context),
  ]);
  return { driver, target };
}

test.serial('with san_is_local driver and target run the commands of this host, each word as it is', async (t) => {
  const device = new SolarisDevice('tank');
  const commands = await LocalCommands.start(device);
  const { PATH: searchPath = '' } = process.env;
  process.env['PATH'] = `${commands.directory}:${searchPath}`;
  t.teardown(async () => {
    process.env['PATH'] = searchPath;
    await commands.stop();
  });
  const { driver, target } = await backendOfThisHost(t);
  await driver.setup();
  await target.setup();
  const volume = spec({ labels: oddLabels });
  await driver.createVolume(volume);
  t.deepEqual(await driver.listVolumes(), [foundAs(volume)]);
  const { id } = volume;
  const address = target.addressOf?.(id) ?? '';
  const hosts = ['iqn.1993-08.org.debian:01:one'];
  const exported = { id, path: driver.localPath(volume), address, readOnly: false, hosts };
  await target.ensureExport(exported);
  t.deepEqual(await target.listExports(), [exported]);
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /dataset is busy/ });
  await target.removeExport(id);
  await driver.deleteVolume(volume);
  t.false(await driver.hasVolume(volume));
  t.deepEqual([...device.zfs.datasets.keys()], ['tank']);
});

test.serial('with san_is_local a command that this host lacks is an error that names it', async (t) => {
  const { driver } = await backendOfThisHost(t);
  await t.throwsAsync(driver.setup(), {
    code: 'SanCommandFailed',
    message: /^"zfs list .*" failed on the storage at this host: .*pfexec.* not found/,
  });
});
