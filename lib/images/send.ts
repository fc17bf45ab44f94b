import { open } from 'node:fs/promises';
import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import { chunkBytes, removeFile } from '../files.ts';
import { copyLimitMs, percentIn } from './copy.ts';
import { type FillOptions, type ImageSource, knownFormat } from './fill.ts';
import type { ImageFormat } from './formats/names.ts';

/** How much of the progress is the conversion's. */
const convertPercent = 60;

/** qemu-img's names and options; what is uploaded is one file. */
const conversions: Record<ImageFormat, readonly string[]> = {
  raw: ['raw'],
  qcow2: ['qcow2'],
  vmdk: ['vmdk', '-o', 'subformat=streamOptimized'],
  vdi: ['vdi'],
  // Otherwise its size would be that of the next geometry of a disk.
  vhd: ['vpc', '-o', 'subformat=dynamic,force_size=on'],
};

/**
 * Gives an image that has no data yet those of a volume, which nothing writes to meanwhile. One that has data has them from an earlier
 * run. Throws ImageNotFound, ImageRefused, ImageServiceUnavailable, CommandNotFound, DirectoryFull.
 */
export async function sendToImage(
  { store, cache, processes }: ImageSource,
  volume: { path: string; sizeBytes: number },
  id: string,
  { signal, progress, check }: FillOptions,
): Promise<void> {
  const image = await store.show(id);
  const path = await cache.reserve(`${id}-upload`); // which removes what an interrupted upload has left there
  if (image.status === 'active') return;
  const [format = '', ...options] = conversions[knownFormat(image)];
  try {
    const args = ['convert', '-p', '-f', 'raw', '-O', format, ...options, volume.path, path];
    const onOutput = (text: string) => {
      const percent = percentIn(text);
      if (percent !== undefined) progress(Math.floor((convertPercent * percent) / 100));
    };
    const running = { asRoot: true, signal, timeoutMs: copyLimitMs(volume.sizeBytes), onOutput };
    await cache
      .within(() => processes.run('qemu-img', args, running))
      .catch((error: unknown) => {
        if (error instanceof CommandError && error.failure.notFound)
          throw errors.commandMissing('qemu-img', 'qemu-utils');
        throw error;
      });
    await check?.();
    if (store.uploadFile) await store.uploadFile(id, path, signal);
    else {
      const file = await open(path, 'r');
      await store.upload(id, file.createReadStream({ highWaterMark: chunkBytes }), signal);
    }
    progress(100);
  } finally {
    await removeFile(path);
  }
}
