import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ExecutionContext } from 'ava';
import { ChildProcesses, type RunOptions } from '../../../lib/process.ts';

/** The real processes, with a virsh of the test's own. */
export class WithVirsh extends ChildProcesses {
  private readonly directory: string;

  /** `directory` has that virsh. */
  constructor(directory: string) {
    super();
    this.directory = directory;
  }

  override async run(command: string, args: readonly string[], options: RunOptions = {}) {
    return super.run(command, args, { ...options, env: { PATH: `${this.directory}:${process.env['PATH']}` } });
  }
}

export async function directoryFor(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-libvirt-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}
