import { open } from 'node:fs/promises';
import { errors } from '../errors.ts';
import type { ImageFormat } from './formats/names.ts';
import { qcow2Size } from './formats/qcow2.ts';
import { vdiSize } from './formats/vdi.ts';
import { vhdSize } from './formats/vhd.ts';
import { vmdkSize } from './formats/vmdk.ts';
import { type ImageBytes, Unusable, bytesOf } from './image-bytes.ts';

const sectorBytes = 512;

const readers: Record<ImageFormat, (image: ImageBytes) => Promise<number>> = {
  // Never looked into: what a guest has written there may look like any format.
  raw: async ({ sizeBytes }) => sizeBytes,
  qcow2: qcow2Size,
  vmdk: vmdkSize,
  vdi: vdiSize,
  vhd: vhdSize,
};

/**
 * Returns the virtual size, in bytes, of an image in a file, whose format is stated and never guessed. Read before any other program
 * opens the file: such a program would open what the image refers to. Throws ImageRefused where it refers to another file, is
 * truncated, or is not of that format.
 */
export async function inspectImage(name: string, path: string, format: ImageFormat): Promise<number> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  if (size === 0) throw errors.imageRefused(name, 'it is empty');
  try {
    const sizeBytes = await readers[format](bytesOf(file, size));
    if (sizeBytes === 0) throw new Unusable('its virtual size is 0');
    if (sizeBytes % sectorBytes !== 0)
      throw new Unusable(`its size of ${sizeBytes} bytes is no multiple of ${sectorBytes}`);
    return sizeBytes;
  } catch (error) {
    if (error instanceof Unusable) throw errors.imageRefused(name, error.message);
    throw error;
  }
}
