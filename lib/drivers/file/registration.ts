import { type Finding, bad, ok, warn } from '../../check.ts';
import { statIfExists } from '../../files.ts';
import { defineDriver } from '../driver.ts';
import { fileFlags } from './flags.ts';

export const file = defineDriver({
  name: 'file',
  flags: fileFlags,
  storage: ({ volume_pool_dir: directory }) => `directory ${directory}`,
  make: async (flags) => {
    const { FileDriver } = await import('./driver.ts');
    return new FileDriver({ directory: flags.volume_pool_dir });
  },
  check: ({ volume_pool_dir: directory }) => [() => checkPool(directory)],
});

async function checkPool(directory: string): Promise<Finding> {
  const state = await statIfExists(directory);
  if (!state) return warn(`${directory} does not exist yet`, 'the daemon creates it at its first start');
  return state.isDirectory() ? ok(`pool ${directory}`) : bad(`${directory} is not a directory`, 'set volume_pool_dir');
}
