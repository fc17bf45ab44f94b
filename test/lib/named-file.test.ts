import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { loadFlags } from '../../lib/flags/load.ts';
import { isNamed, readNamedFile } from '../../lib/named-file.ts';
import { connectionOptions } from '../../lib/redis/connection-options.ts';

let directory: string;
test.before(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-named-'));
});
test.after.always(() => rm(directory, { recursive: true }));

test('a file that cannot be a configuration is refused at once, with the reason', async (t) => {
  const file = (name: string) => join(directory, name);
  await writeFile(file('huge'), '');
  await truncate(file('huge'), 8 * 1024 ** 3);
  await execa('mkfifo', [file('pipe')]);
  await symlink(file('pipe'), file('link-to-pipe'));
  await symlink(file('loop'), file('loop'));
  const server = createServer().listen(file('socket'));
  t.teardown(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  for (const [path, problem] of [
    [file('huge'), 'it is larger than 1 MiB'],
    ['/dev/zero', 'it is a device'],
    [file('pipe'), 'it is a named pipe; name a file, or /dev/stdin'],
    [file('link-to-pipe'), 'it is a named pipe; name a file, or /dev/stdin'],
    [file('loop'), 'its symbolic links form a loop'],
    [file('socket'), 'it is a socket'],
    [file('none'), 'it does not exist'],
    [file('huge/x'), 'a part of its path is not a directory'],
    [directory, 'it is a directory'],
  ] as const) {
    t.deepEqual(readNamedFile(path), { problem }, path);
    t.throws(() => loadFlags({ file: path }), {
      message: `the configuration file ${path} cannot be read: ${problem}`,
    });
    const { flags } = loadFlags({ argv: ['--redis_tls', `--redis_tls_ca=${path}`] });
    t.throws(() => connectionOptions(flags), {
      message: `redis_tls_ca = "${path}" cannot be read: ${problem}`,
    });
  }
});

test('standard input and the pipes of a shell are read', async (t) => {
  const program = `import { isNamed, readNamedFile } from '${join(import.meta.dirname, '../../lib/named-file.ts')}';
    console.log(JSON.stringify(readNamedFile(process.argv[1])));`;
  const script =
    '"$0" -e "$1" /dev/stdin </dev/null; printf "a = 1" | "$0" -e "$1" /dev/stdin; "$0" -e "$1" <(sleep 0.1; printf "a = 1")';
  const { stdout } = await execa('bash', ['-c', script, process.execPath, program]);
  t.deepEqual(stdout.split('\n'), ['{"text":""}', '{"text":"a = 1"}', '{"text":"a = 1"}']);
  t.deepEqual(readNamedFile('/dev/null'), { text: '' });
});

test('a default file that is there but cannot be read is not taken for absent', async (t) => {
  const file = (name: string) => join(directory, name);
  await symlink(file('nowhere'), file('dangling'));
  t.true(isNamed(file('dangling')));
  t.false(isNamed(file('absent')));
  t.false(isNamed('/dev/null/absent'));
  await mkdir(file('private'));
  await chmod(file('private'), 0o000);
  const program = `import { isNamed } from '${join(import.meta.dirname, '../../lib/named-file.ts')}';
    process.setuid?.(65534);
    console.log(isNamed(process.argv[1]));`;
  if (process.getuid?.() === 0) await chmod(directory, 0o755);
  const { stdout } = await execa(process.execPath, [
    '-e',
    process.getuid?.() === 0 ? program : program.replace(/process.setuid.*/, ''),
    file('private/blockstore.conf'),
  ]);
  t.is(stdout, 'true');
});
