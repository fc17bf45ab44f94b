import { chmod, cp, mkdir, mkdtemp, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import { z } from 'zod';

const bin = path.resolve(import.meta.dirname, '../../bin');
const commands = ['blockstore', 'blockstored'];

/** Creates a directory with the launchers and programs that print their arguments; returns its path. */
async function installation(t: ExecutionContext, ...suffixes: string[]): Promise<string> {
  const directory = await realpath(await mkdtemp(path.join(tmpdir(), 'blockstore-launch-')));
  t.teardown(() => rm(directory, { recursive: true }));
  await mkdir(path.join(directory, 'bin'));
  for (const command of commands) {
    await cp(path.join(bin, command), path.join(directory, 'bin', command));
    for (const suffix of suffixes) {
      await writeFile(
        path.join(directory, 'bin', `${command}.${suffix}`),
        'console.log(JSON.stringify([process.execPath, process.argv[1], ...process.argv.slice(2)])); process.exitCode = 7;',
      );
    }
  }
  await writeFile(path.join(directory, 'package.json'), '{"type":"module"}');
  return directory;
}

async function addNode(directory: string, place: string): Promise<void> {
  const node = path.join(directory, place);
  await mkdir(path.dirname(node), { recursive: true });
  await symlink(process.execPath, node);
}

const installations = [
  { kind: 'a checkout', suffix: 'ts', all: ['ts'], node: 'node_modules/node/bin/node' },
  { kind: 'a package', suffix: 'mjs', all: ['mjs'], node: 'bin/node' },
  { kind: 'a place with both', suffix: 'mjs', all: ['ts', 'mjs'], node: 'bin/node' },
];

for (const { kind, suffix, all, node } of installations) {
  for (const command of commands) {
    test(`in ${kind} ${command} runs ${command}.${suffix} on the Node.js there, called through a symbolic link`, async (t) => {
      const directory = await installation(t, ...all);
      await addNode(directory, node);
      const other = path.join(directory, 'other');
      await mkdir(other);
      await writeFile(path.join(other, 'node'), '#!/bin/sh\necho the wrong node\n');
      await chmod(path.join(other, 'node'), 0o755);
      await symlink(path.join(directory, 'bin', command), path.join(other, command));
      const { stdout, exitCode } = await execa(command, ['a', 'b c', ''], {
        cwd: '/',
        reject: false,
        env: { PATH: `${other}:/usr/bin:/bin` },
      });
      t.deepEqual(JSON.parse(stdout), [
        await realpath(process.execPath),
        path.join(directory, 'bin', `${command}.${suffix}`),
        'a',
        'b c',
        '',
      ]);
      t.is(exitCode, 7, 'its exit code is the program’s');
    });
  }
}

test('the launchers can be called by a relative path and by sh', async (t) => {
  const directory = await installation(t, 'mjs');
  await addNode(directory, 'bin/node');
  const program = path.join(directory, 'bin', 'blockstore.mjs');
  for (const [file, args, cwd] of [
    ['bin/blockstore', [], directory],
    ['sh', ['bin/blockstore'], directory],
    ['sh', ['blockstore'], path.join(directory, 'bin')],
  ] as const) {
    const { stdout } = await execa(file, args, { cwd, reject: false });
    t.is(JSON.parse(stdout)[1], program);
  }
});

for (const command of commands) {
  test(`${command} runs without the settings for Node.js of its environment, and without its debugger`, async (t) => {
    const directory = await installation(t, 'mjs');
    await addNode(directory, 'bin/node');
    await writeFile(
      path.join(directory, 'bin', `${command}.mjs`),
      'console.log(JSON.stringify([process.execArgv.includes("--disable-sigusr1"), Object.keys(process.env)]));',
    );
    const settings = {
      NODE_OPTIONS: '--inspect-brk --no-such-option',
      NODE_TLS_REJECT_UNAUTHORIZED: '0',
      NODE_CHANNEL_FD: 'none',
      NODE_DEBUG: '*',
      DEBUG: '*',
    };
    const { stdout, stderr } = await execa(path.join(directory, 'bin', command), {
      env: { ...settings, NODE_EXTRA_CA_CERTS: '/etc/ssl/certs/ca-certificates.crt' },
    });
    const [ignoresSignal, names] = z.tuple([z.boolean(), z.array(z.string())]).parse(JSON.parse(stdout));
    t.true(ignoresSignal);
    t.deepEqual(
      names.filter((name) => name in settings),
      [],
    );
    t.true(names.includes('NODE_EXTRA_CA_CERTS'), 'which the certificate of Redis can need');
    t.is(stderr, '');
  });
}

test('with standard output and error closed the launchers end with exit code 1', async (t) => {
  const directory = await installation(t, 'ts');
  const codeOf = async (call: string) => {
    const { exitCode } = await execa('sh', ['-c', `bin/${call} >&- 2>&-`], { cwd: directory, reject: false });
    return exitCode;
  };
  for (const command of commands) t.is(await codeOf(command), 1, `${command} without npm packages`);
  await addNode(directory, 'node_modules/node/bin/node');
  t.is(await codeOf('blockstore volume list'), 1);
  t.is(await codeOf('blockstored --version'), 1);
});

test('without npm packages the launchers print how to install them', async (t) => {
  const directory = await installation(t, 'ts');
  for (const command of commands) {
    const { stdout, stderr, exitCode } = await execa(path.join(directory, 'bin', command), { reject: false });
    t.is(stdout, '');
    t.regex(stderr, /npm ci/);
    t.is(stderr.split('\n').length, 1);
    t.is(exitCode, 1);
  }
});
