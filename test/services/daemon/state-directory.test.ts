import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { relationOf } from '../../../lib/models/lease-holder.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { nodeNameHere, readIdentity } from '../../../lib/node-identity.ts';
import { silentLog } from '../../../lib/log.ts';
import { checkDirectories } from '../../../services/daemon/check-directories.ts';
import { StateDirectory } from '../../../services/daemon/state-directory.ts';

let parent: string;
let directory: string;
test.beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'blockstore-state-'));
  directory = join(parent, 'deep', 'state');
});
test.afterEach.always(() => rm(parent, { recursive: true, force: true }));

const machine = { machine: 'a'.repeat(32), boot: 'b'.repeat(32) };

function stateDirectory(node = 'n1', where = directory): StateDirectory {
  return new StateDirectory({ directory: where, node, processes: new ChildProcesses(), machine });
}

async function holderOf(service: StateDirectory): Promise<string> {
  await service.start();
  const { holder } = service;
  await service.stop();
  return holder;
}

test.serial('a state directory is the same holder at every start, and another directory another one', async (t) => {
  t.is(await readIdentity(directory), undefined);
  const holder = await holderOf(stateDirectory());
  t.regex(holder, /^\S+ \(state [0-9a-f]{12}, machine a{12}, boot b{12}, lock [0-9a-f]+\.[0-9a-f]+\)$/);
  t.is(await holderOf(stateDirectory()), holder);
  t.is((await readIdentity(directory))?.node, 'n1');
  t.not(await holderOf(stateDirectory('n1', join(parent, 'other'))), holder);
  const copy = join(parent, 'copy');
  await cp(directory, copy, { recursive: true });
  t.is(relationOf(await holderOf(stateDirectory('n1', copy)), holder), 'otherLock');
  t.deepEqual((await readdir(directory)).toSorted(), ['identity', 'lock']);
});

test.serial(
  'the node of this host has the name of its state directory, else the host name, if a node can have it',
  async (t) => {
    const flags = (storage_name: string) => ({ ...loadFlags({}).flags, storage_name, state_dir: directory });
    const { origins } = loadFlags({});
    t.is(await nodeNameHere({ flags: flags('host'), origins }), 'host');
    for (const name of ['x'.repeat(64), 'h\u00F6st', '']) {
      await t.throwsAsync(nodeNameHere({ flags: flags(name), origins }), {
        code: 'InvalidFlags',
        message: /^storage_name: /,
      });
    }
    await holderOf(stateDirectory('n1'));
    t.is(await nodeNameHere({ flags: flags('host'), origins }), 'n1');
    t.is(await nodeNameHere({ flags: flags('n2'), origins: { ...origins, storage_name: 'environment' } }), 'n2');
  },
);

test.serial('one daemon at a time uses a state directory', async (t) => {
  const first = stateDirectory();
  await first.start();
  await t.throwsAsync(stateDirectory().start(), { code: 'StateDirTaken', message: new RegExp(directory) });
  await first.stop();
  await t.notThrowsAsync(holderOf(stateDirectory()));
});

test.serial('a state directory is refused to another node, with the name of its own', async (t) => {
  await holderOf(stateDirectory('n1'));
  const error = await t.throwsAsync(stateDirectory('n2').start(), { code: 'StateDirOfOtherNode' });
  t.regex(error.message, /belongs to node n1, not to n2$/);
  t.like(error, {
    hint: 'to continue as that node, with its volumes: storage_name = n1; to set up another node: set another state_dir',
  });
  await t.notThrowsAsync(holderOf(stateDirectory('n1')), 'the refused start released the lock');
});

for (const [name, content] of [
  ['empty', ''],
  ['random', 'Y\u0000\ufffd3'],
  ['of another form', '{"state":"x","node":"n1"}'],
] as const) {
  test.serial(`an identity file with ${name} content is refused, and left alone`, async (t) => {
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'identity');
    await writeFile(file, content);
    await t.throwsAsync(stateDirectory().start(), { code: 'StateDirDamaged', message: new RegExp(file) });
    t.is(await readFile(file, 'utf8'), content);
  });
}

test.serial('an identity file that is a directory or a pipe is refused, without waiting for a writer', async (t) => {
  for (const command of ['mkdir', 'mkfifo']) {
    const where = join(parent, command);
    await mkdir(where);
    await execa(command, [join(where, 'identity')]);
    await t.throwsAsync(stateDirectory('n1', where).start(), { code: 'StateDirDamaged', message: new RegExp(where) });
  }
});

test.serial('a directory that cannot be used is named with the reason', async (t) => {
  for (const where of ['/dev/null/state', '/proc/no/such']) {
    await t.throwsAsync(stateDirectory('n1', where).start(), { code: 'StateDirUnusable', message: new RegExp(where) });
  }
  if (process.getuid?.() === 0) return;
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o500);
  await t.throwsAsync(stateDirectory().start(), { code: 'StateDirUnusable' });
});

test.serial(
  'a directory of images or backups that is something else is refused at the start, with its flag',
  async (t) => {
    const { flags } = loadFlags({});
    const file = join(parent, 'file');
    await writeFile(file, '');
    await mkdir(directory, { recursive: true });
    const check = (more: Partial<typeof flags>) =>
      checkDirectories(
        { ...flags, image_directory: directory, backup_directory: join(parent, 'new'), ...more },
        silentLog,
      );
    await check({});
    const refused = (message: RegExp) => ({ code: 'InvalidFlags', message });
    await t.throwsAsync(
      check({ image_directory: '/dev/null' }),
      refused(/^image_directory = "\/dev\/null" is not a directory$/),
    );
    await t.throwsAsync(
      check({ backup_directory: join(file, 'new') }),
      refused(/^backup_directory = "\S+" is below a file$/),
    );
    await t.throwsAsync(
      check({ image_directory: file, backup_directory: file }),
      refused(/^image_.*\nbackup_.*directory$/),
    );
    await check({
      image_directory: file,
      image_url: 'http://images:9292',
      backup_directory: file,
      backup_s3_url: 'http://s3/b',
    });
  },
);
