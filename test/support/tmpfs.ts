import type { ExecutionContext } from 'ava';
import { execa } from 'execa';

/** Mounts a small file system for a test; returns false where this host may not. */
export async function mountTmpfs(t: ExecutionContext, directory: string, options: string): Promise<boolean> {
  const mounted = await execa('mount', ['-t', 'tmpfs', '-o', options, 'blockstore-test', directory], { reject: false });
  if (mounted.failed) {
    t.log('this host may not mount');
    t.pass();
    return false;
  }
  t.teardown(() => execa('umount', [directory]));
  return true;
}
