import { createHash } from 'node:crypto';
import { open, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type StoreFiles, pair, storeFlags } from './copies.ts';

/** Two backends of the driver file in directories of `root`, and stores. */
export function pairFlags(root: string): Readonly<Record<string, string>> {
  return {
    enabled_backends: `${pair.first},${pair.other}`,
    [`${pair.first}.volume_pool_dir`]: join(root, 'volumes'),
    [`${pair.other}.volume_pool_dir`]: join(root, 'other'),
    ...storeFlags(join(root, 'stores')),
  };
}

export function hostStores(root: string): StoreFiles {
  const directory = join(root, 'stores');
  return {
    directory,
    clear: async () => {
      for (const path of [directory, join(root, 'state', 'image-cache')])
        await rm(path, { recursive: true, force: true });
    },
    put: async () => {},
    get: async () => {},
    write: async (volume, data, offset) => {
      await using file = await open(join(root, 'volumes', `volume-${volume}`), 'r+');
      await file.write(data, 0, data.length, offset);
    },
    beginnings: async () => {
      const folders = ['volumes', 'other'].map((folder) => join(root, folder));
      const files = (
        await Promise.all(folders.map(async (folder) => (await readdir(folder)).map((name) => join(folder, name))))
      ).flat();
      const whole = files.filter((file) => /\/volume-[0-9a-f-]{36}$/.test(file));
      return Promise.all(whole.map(async (file) => `data ${await beginningOf(file)} of ${basename(file)}`));
    },
  };
}

/** A checksum. */
async function beginningOf(file: string): Promise<string> {
  await using opened = await open(file);
  const { bytesRead, buffer } = await opened.read(Buffer.alloc(2 ** 16), 0, 2 ** 16, 0);
  return createHash('sha256').update(buffer.subarray(0, bytesRead)).digest('hex');
}
