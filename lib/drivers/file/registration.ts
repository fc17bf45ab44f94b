import { realpathSync } from 'node:fs';
import path from 'node:path';
import { defineDriver } from '../driver.ts';
import { fileFlags } from './flags.ts';

export const file = defineDriver({
  name: 'file',
  flags: fileFlags,
  storage: ({ volume_pool_dir: directory }) => `directory ${ownName(directory)}`,
  make: async (flags, { processes }) => {
    const { FileDriver } = await import('./driver.ts');
    return new FileDriver({
      directory: flags.volume_pool_dir,
      knownPools: knownPoolsOf(flags),
      lock: { node: flags.storage_name, processes },
      processes,
    });
  },
  check: (flags) => [async () => (await import('./pool.ts')).checkPool(flags.volume_pool_dir, knownPoolsOf(flags))],
});

/** The file with the UUIDs of the pools. */
function knownPoolsOf({ state_dir }: { state_dir: string }): string {
  return path.join(state_dir, 'file-pools.json');
}

/** Returns one name for all names of a directory, also for one that does not exist yet. */
function ownName(directory: string): string {
  try {
    return realpathSync(directory);
  } catch {
    return path.resolve(directory);
  }
}
