import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import type { ExecutionContext } from 'ava';

export const canHang = process.getuid?.() === 0 && existsSync('/dev/fuse');

/** Mounts a file system that answers nothing, as that of a dead file server, until the test ends. */
export async function mountHanging(t: ExecutionContext, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  const server = openSync('/dev/fuse', 'r+');
  t.teardown(async () => {
    closeSync(server); // ends what waits for it
    await run('umount', ['--lazy', directory], 'ignore');
  });
  const options = 'fd=3,rootmode=40000,user_id=0,group_id=0';
  await run('mount', ['-i', '-t', 'fuse', '-o', options, 'hanging', directory], server);
}

/** `third` is the file descriptor 3 of the command. */
async function run(command: string, args: readonly string[], third: number | 'ignore'): Promise<void> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', third] });
  const [code] = await once(child, 'exit');
  if (code !== 0) throw new Error(`${command} ended with ${code}`);
}
