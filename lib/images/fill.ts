import { zeroFrom } from '../devices/overwrite.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import type { ImageCache } from './cache.ts';
import { type CopyTarget, copyImage } from './copy.ts';
import { type ImageFormat, imageFormats } from './formats/names.ts';
import { inspectImage } from './inspect.ts';
import { openImage } from './reader.ts';
import type { Image } from './image.ts';
import type { ImageStore } from './store.ts';

/** How much of the progress is the download's. */
const downloadPercent = 40;

export interface ImageSource {
  store: ImageStore;
  cache: ImageCache;
  processes: Processes;
}

export interface FillOptions {
  signal: AbortSignal;
  /** Called with 0 to 100. */
  progress: (percent: number) => void;
  /** Of data that leave the node, before the copy counts: throws where what was read is not what was asked for. */
  check?: () => Promise<void>;
}

export interface FillVolumeOptions extends Omit<FillOptions, 'check'> {
  /** Called once the image has been checked, before the first byte is written. */
  begin?: () => Promise<void>;
  /** What is behind the data of the image becomes zeros. */
  zeroesRest?: true;
}

/**
 * Gives a volume the data of an image. Nothing is written before the image was fetched, its checksum compared, and its header examined.
 * Throws ImageNotFound, ImageNotActive, ImageRefused, ImageTooLarge, ImageChanged, ImageServiceUnavailable, CommandNotFound.
 */
export async function fillFromImage(
  { store, cache, processes }: ImageSource,
  id: string,
  target: CopyTarget,
  { signal, progress, begin, zeroesRest }: FillVolumeOptions,
): Promise<void> {
  const image = await store.show(id);
  const format = formatOf(image);
  const { sizeBytes = 0 } = image;
  const fetched = (bytes: number) => progress(Math.floor((downloadPercent * bytes) / Math.max(1, sizeBytes)));
  await cache.use(store, image, { signal, progress: fetched }, async (path) => {
    const virtualBytes = await inspectImage(id, path, format);
    if (virtualBytes > target.sizeBytes) throw errors.imageTooLarge(id, virtualBytes, target.sizeBytes);
    const reader = await openImage(processes, { name: id, path, format }, signal);
    try {
      const copied = (percent: number) =>
        progress(downloadPercent + Math.floor(((100 - downloadPercent) * percent) / 100));
      await begin?.();
      await copyImage(processes, { name: id, reader }, target, { signal, progress: copied });
      if (zeroesRest) await zeroFrom(processes, target, reader.sizeBytes, { signal });
    } finally {
      await reader.close();
    }
  });
}

/** Returns the format of an image that volumes can be made from. Throws ImageNotActive, ImageRefused. */
export function formatOf(image: Image): ImageFormat {
  if (image.status !== 'active') throw errors.imageNotActive(image.id, image.status);
  return knownFormat(image);
}

/** Throws ImageRefused. */
export function knownFormat({ id, diskFormat, containerFormat }: Image): ImageFormat {
  if (containerFormat !== 'bare')
    throw errors.imageRefused(id, `its container is ${JSON.stringify(containerFormat)}, not "bare"`);
  const format = imageFormats.find((one) => one === diskFormat);
  if (format) return format;
  throw errors.imageRefused(id, `its format is ${JSON.stringify(diskFormat)}, not one of ${imageFormats.join(', ')}`);
}
