import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { CommandError } from '../../lib/command-error.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { until } from '../support/until.ts';

const processes = new ChildProcesses();

async function failureOf(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    if (error instanceof CommandError) return { error, ...error.failure };
    throw error;
  }
  throw new Error('it did not fail');
}

test('a command gets its arguments unchanged, and runs with LC_ALL=C', async (t) => {
  const { stdout } = await processes.run('sh', ['-c', 'echo "$1" $LC_ALL', 'sh', 'a  $HOME "b"']);
  t.is(stdout, 'a  $HOME "b" C');
});

test.serial(
  'a child has an environment of its own, with the directories of administration tools, and no secret',
  async (t) => {
    const before = process.env;
    process.env = {
      PATH: `bin:${before['PATH']}`,
      BLOCKSTORE_REDIS_PASSWORD: 'secret',
      http_proxy: 'http://proxy',
      LANG: 'de_DE.UTF-8',
      HOME: '/home/user',
      TERM: 'xterm',
      NOTIFY_SOCKET: '/run/notify',
      TMPDIR: '/nonexistent',
      LVM_SYSTEM_DIR: '/home/user/lvm',
      LVM_LOG_FILE_EPOCH: 'epoch',
      DM_DISABLE_UDEV: '1',
      LIBVIRT_DEFAULT_URI: 'test:///default',
      PERL5OPT: '-Mnone',
      LD_LIBRARY_PATH: '/home/user/lib',
    };
    const directory = await mkdtemp(join(tmpdir(), 'process-'));
    try {
      const resident = processes.resident('sh', ['-c', 'env'], { EXTRA: '2' });
      resident.stdin.end();
      const texts = await Promise.all([
        processes.run('env', [], { env: { EXTRA: '1' } }).then(({ stdout }) => stdout),
        resident.stdout.toArray().then((chunks) => chunks.join('')),
      ]);
      const logFile = join(directory, 'log');
      await processes.detach('env', [], { logFile });
      texts.push(
        await until(async () => (await readFile(logFile, 'utf8')) || undefined, 'the detached child has written'),
      );
      for (const text of texts) {
        const names = text.split('\n').map((line) => line.split('=')[0] ?? '');
        // sh adds PWD and its own.
        const own = new Set(['', 'PWD', 'OLDPWD', 'SHLVL', '_', 'EXTRA']);
        t.deepEqual(names.filter((name) => !own.has(name)).toSorted(), [
          'HOME',
          'LC_ALL',
          'LVM_SUPPRESS_FD_WARNINGS',
          'PATH',
          'TERM',
        ]);
        for (const line of ['LC_ALL=C', 'HOME=/nonexistent', 'TERM=dumb']) t.true(text.includes(line), line);
        t.regex(text, /^PATH=\/(?!.*:bin).*:\/usr\/sbin:/m);
      }
      t.regex(texts[0] ?? '', /^EXTRA=1$/m);
      t.regex(texts[1] ?? '', /^EXTRA=2$/m);
    } finally {
      process.env = before;
      await rm(directory, { recursive: true });
    }
  },
);

test('a failure has exit code and stderr and names the command', async (t) => {
  const failure = await failureOf(processes.run('sh', ['-c', 'echo one >&2; echo two >&2; exit 5']));
  t.is(failure.exitCode, 5);
  t.is(failure.stderr, 'one\ntwo');
  t.regex(failure.error.message, /^"sh -c .*" failed with exit code 5: two$/);
});

test('a missing command is reported as CommandNotFound', async (t) => {
  const { error } = await failureOf(processes.run('no-such-command', []));
  t.is(error.code, 'CommandNotFound');
  t.is(error.message, 'the command no-such-command is not installed');
});

test('a hanging command is killed at its time limit', async (t) => {
  const failure = await failureOf(processes.run('sleep', ['1000'], { timeoutMs: 50 }));
  t.true(failure.timedOut);
});

test('a command whose children keep its pipes open ends at its time limit', async (t) => {
  const began = performance.now();
  const scripts = ['sleep 30 & exit 0', 'trap "" TERM; sleep 30 & wait'];
  const failures = scripts.map((script) => failureOf(processes.run('sh', ['-c', script], { timeoutMs: 50 })));
  for (const { timedOut } of await Promise.all(failures)) t.true(timedOut);
  t.true(performance.now() - began < 25_000);
  const child = processes.resident('sh', ['-c', 'sleep 30 & sleep 30'], {});
  child.kill('SIGKILL');
  await child.ended;
});

test('children of a killed resident that keep its pipes open do not keep this process from ending', async (t) => {
  const script = `
    import { ChildProcesses } from ${JSON.stringify(new URL('../../lib/process.ts', import.meta.url).href)};
    const child = new ChildProcesses().resident('sh', ['-c', 'sleep 600 & echo $!; wait'], {});
    child.stdout.once('data', async (pid) => {
      child.kill('SIGKILL');
      await child.ended;
      console.log(String(pid).trim());
    });`;
  const { stdout } = await execa(process.execPath, ['--input-type=module-typescript', '-e', script], {
    timeout: 120_000,
  });
  process.kill(Number(stdout), 'SIGKILL');
  t.pass();
});

test('a program that the system refuses to run fails with the reason', async (t) => {
  const { error } = await failureOf(processes.run('/etc/passwd', []));
  t.regex(error.message, /^"\/etc\/passwd" could not be executed: .*EACCES/);
});

test('a process without free file descriptors reports the limit, and how to raise it', async (t) => {
  const lib = join(import.meta.dirname, '../../lib');
  const program = `
    import { openSync } from 'node:fs';
    import { asError } from '${lib}/errors.ts';
    import { ChildProcesses } from '${lib}/process.ts';
    await new ChildProcesses().run('true', []);
    const hints = [];
    try { for (;;) openSync('/dev/null', 'r'); } catch (error) { hints.push(asError(error).hint); }
    await new ChildProcesses().run('true', []).catch(({ hint }) => hints.push(hint));
    process.stdout.write(JSON.stringify(hints), () => process.exit());`;
  const { stdout } = await execa('bash', ['-c', 'ulimit -n 100; exec "$0" -e "$1"', process.execPath, program]);
  const hint = 'raise the limit of open files: LimitNOFILE of the unit, "ulimit -n" of a shell';
  t.deepEqual(JSON.parse(stdout), [hint, hint]);
});

test('a command that no process was left for reports the limit, and how to raise it', (t) => {
  const { message, hint } = new CommandError({
    command: 'flock 0',
    exitCode: undefined,
    signal: undefined,
    timedOut: false,
    cancelled: false,
    notFound: false,
    stdout: '',
    stderr: 'spawn flock EAGAIN',
  });
  t.is(message, '"flock 0" could not be executed: spawn flock EAGAIN');
  t.is(hint, 'raise the limit of processes: TasksMax of the unit, "ulimit -u" of a shell');
});

test('a command is killed when its signal aborts', async (t) => {
  const abort = new AbortController();
  const work = failureOf(processes.run('sleep', ['1000'], { signal: abort.signal }));
  abort.abort();
  t.true((await work).cancelled);
});

test('a command that needs root runs with sudo -n when this process is not root', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-process-'));
  t.teardown(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, 'sudo'), `#!/bin/sh\nprintf '%s|' "$@"\n`, { mode: 0o755 });
  const script = `
    import { ChildProcesses } from ${JSON.stringify(new URL('../../lib/process.ts', import.meta.url).href)};
    for (const user of [1000, 0]) {
      process.getuid = () => user;
      console.log((await new ChildProcesses().run('echo', ['a b', 'c'], { asRoot: true })).stdout);
    }`;
  const env = { PATH: `${directory}:${process.env['PATH']}` };
  const { stdout } = await execa(process.execPath, ['--input-type=module-typescript', '-e', script], { env });
  t.is(stdout, '-n|echo|a b|c|\na b c');
});

test('a command that needs root does not count as missing where sudo is', async (t) => {
  const script = `
    import { ChildProcesses } from ${JSON.stringify(new URL('../../lib/process.ts', import.meta.url).href)};
    process.getuid = () => 1000;
    const processes = new ChildProcesses();
    for (const work of [
      () => processes.run('true', [], { asRoot: true }),
      () => processes.detach('true', [], { asRoot: true, logFile: '/dev/null' }),
    ]) {
      await work().catch(({ code, message, hint }) => console.log([code, message, hint].join('; ')));
    }`;
  const without = 'exec 9<"$0"; mount -t tmpfs none /usr/bin; exec /proc/self/fd/9 "$@"';
  const node = [process.execPath, '--input-type=module-typescript', '-e', script];
  const { stdout } = await execa('unshare', ['--mount', '--map-root-user', 'sh', '-c', without, ...node]);
  const expected =
    'CommandFailed; "true" could not be executed: sudo: it is not installed; run this as root, or install sudo and allow it the command';
  t.deepEqual(stdout.split('\n'), [expected, expected]);
});

test('a command that ignores SIGTERM is killed', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-process-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const file = join(directory, 'deaf');
  const abort = new AbortController();
  const script = ['-c', 'trap "" TERM; touch "$1"; for s in $(seq 20); do sleep 1; done', 'sh', file];
  const work = failureOf(processes.run('sh', script, { signal: abort.signal }));
  await until(() => existsSync(file), 'it is deaf');
  abort.abort();
  t.is((await work).signal, 'SIGKILL');
});

test('a detached command leads its own session and writes to its log', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-process-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const logFile = join(directory, 'log');
  const pid = await processes.detach('sh', ['-c', 'echo started; exec sleep 1000'], { logFile });
  t.teardown(() => process.kill(pid, 'SIGKILL'));
  await until(async () => (await readFile(logFile, 'utf8')) === 'started\n', 'the log has its line');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const [, , group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  t.is(Number(group), pid);
  await t.throwsAsync(processes.detach('no-such-command', [], { logFile }), { code: 'CommandNotFound' });
});

test('a resident answers on descriptor 3', async (t) => {
  const child = processes.resident('sh', ['-c', 'while read line; do echo "got $line" >&3; done'], {});
  child.stdin.write('hello\n');
  const [chunk]: unknown[] = await once(child.reports, 'data');
  t.is(String(chunk), 'got hello\n');
  child.stdin.end();
  await child.ended;
});
