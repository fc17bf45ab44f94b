import assert from 'node:assert/strict';
import { open } from 'node:fs/promises';
import type { VolumeSpec } from '../../../lib/drivers/driver.ts';
import type { Subject } from './subject.ts';

const blockBytes = 4096;

/** Writes `mark` to the first, a middle and the last block of the volume. */
export async function fill({ driver, write }: Subject, volume: VolumeSpec, mark: string): Promise<void> {
  const block = Buffer.alloc(blockBytes, mark);
  for (const offset of offsetsIn(0, volume.sizeBytes)) await write?.(driver.localPath(volume), offset, block);
}

/** Asserts that the volume begins with what fill() wrote when it had `filledBytes`, and has zeros behind it; '' is zeros. */
export async function assertFilled(
  subject: Subject,
  volume: VolumeSpec,
  mark: string,
  filledBytes = volume.sizeBytes,
): Promise<void> {
  await assertBlocks(subject, volume, offsetsIn(0, filledBytes), mark);
  if (filledBytes < volume.sizeBytes) {
    await assertBlocks(subject, volume, offsetsIn(filledBytes, volume.sizeBytes), '');
  }
}

/** Asserts that these blocks are full of `mark`. */
export async function assertBlocks(
  { driver, read }: Subject,
  volume: VolumeSpec,
  offsets: readonly number[],
  mark: string,
): Promise<void> {
  if (!read) return;
  const expected = Buffer.alloc(blockBytes, mark);
  for (const offset of offsets) {
    const block = Buffer.from(await read(driver.localPath(volume), offset, blockBytes));
    const begin = block.subarray(0, 16).toString().replaceAll('\0', '');
    assert.ok(block.equals(expected), `"${begin}…" at ${offset} in place of "${mark}…"`);
  }
}

/** Returns the offsets of the first, a middle and the last block of a range. */
export function offsetsIn(from: number, to: number): number[] {
  const middle = (from + to) / 2;
  return [from, middle - (middle % blockBytes), to - blockBytes];
}

/** `write` of a subject whose volumes are files or block devices of this machine. */
export async function writeBlock(path: string, offset: number, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'r+');
  try {
    await file.write(bytes, 0, bytes.length, offset);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** `read` of such a subject. */
export async function readBlock(path: string, offset: number, length: number): Promise<Uint8Array> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
