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
  check: ({ volume_pool_dir: directory }) => [async () => (await import('./pool.ts')).checkPool(directory)],
});
