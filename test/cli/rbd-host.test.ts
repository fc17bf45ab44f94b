import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { checkRbdHost } from '../../cli/doctor/rbd-host.ts';
import { CommandError } from '../../lib/command-error.ts';
import { ChildProcesses, type RunResult } from '../../lib/process.ts';

/** Its commands succeed, except for these. */
class Host extends ChildProcesses {
  private readonly failing: readonly string[];

  constructor(...failing: string[]) {
    super();
    this.failing = failing;
  }

  override async run(command: string): Promise<RunResult> {
    if (!this.failing.includes(command)) return { stdout: '', stderr: '' };
    const ending = { exitCode: 1, signal: undefined, timedOut: false, cancelled: false, notFound: command === 'rbd' };
    throw new CommandError({ command, ...ending, stdout: '', stderr: '' });
  }
}

test('doctor warns of a host that cannot map volumes on Ceph, and says that guests can use them', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-rbd-host-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  t.like(await checkRbdHost(new Host(), directory), { level: 'ok' });
  const withoutModule = await checkRbdHost(new Host('modinfo'), directory);
  t.like(withoutModule, { level: 'warn' });
  t.regex(withoutModule.message, /: the kernel module rbd is missing$/);
  t.regex(withoutModule.hint ?? '', /guests need none/);
  const withoutCommand = await checkRbdHost(new Host('rbd'), directory);
  t.regex(withoutCommand.message, /: the command rbd is missing$/);
  await mkdir(join(directory, 'bus/rbd'), { recursive: true });
  t.like(await checkRbdHost(new Host('modinfo'), directory), { level: 'ok' }, 'part of the kernel');
});
