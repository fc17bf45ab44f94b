import path from 'node:path';
import { z } from 'zod';
import { errorCode, readIfExists, replaceFile, syncDirectory } from '../../files.ts';
import { type FoundVolume, type Labels, type VolumeSpec, checkLabels } from '../driver.ts';
import type { FoundSnapshot, SnapshotSpec } from '../snapshots.ts';

const shape = z.record(z.string(), z.string());
const snapshotShape = z.object({ volume: z.uuid(), labels: shape });

export function labelFile(directory: string, id: string): string {
  return path.join(directory, `${id}.json`);
}

/** Replaces the labels atomically: after a crash either the old or the new ones exist. */
export async function writeLabels(directory: string, { id, labels }: VolumeSpec): Promise<void> {
  checkLabels(labels);
  await replaceFile(labelFile(directory, id), `${JSON.stringify(labels)}\n`, { flush: true, mode: 0o600 });
  await syncDirectory(directory); // a label can say that what follows is not to be used
}

/** Returns the volume with its labels, or with the reason why they cannot be read, as on a bad disk. */
export async function withLabels(directory: string, id: string, sizeBytes: number): Promise<FoundVolume> {
  try {
    return { id, sizeBytes, labels: await readLabels(directory, id) };
  } catch (error) {
    const reason = errorCode(error) ?? String(error);
    return { id, sizeBytes, labels: {}, unusable: `its labels cannot be read: ${labelFile(directory, id)}: ${reason}` };
  }
}

export function snapshotLabelFile(directory: string, id: string): string {
  return path.join(directory, `snapshot-${id}.json`);
}

/** The same for a snapshot; its file also names the volume. */
export async function writeSnapshotLabels(directory: string, { id, volume, labels }: SnapshotSpec): Promise<void> {
  checkLabels(labels);
  const text = `${JSON.stringify({ volume: volume.id, labels })}\n`;
  await replaceFile(snapshotLabelFile(directory, id), text, { flush: true, mode: 0o600 });
}

/** Returns the snapshot with its labels; unusable where its volume and labels cannot be read. */
export async function snapshotWithLabels(directory: string, id: string, sizeBytes: number): Promise<FoundSnapshot> {
  const file = snapshotLabelFile(directory, id);
  const unlabelled = { id, volumeId: '', sizeBytes, labels: {} };
  try {
    const text = await readIfExists(file);
    if (text === undefined) return { ...unlabelled, unusable: 'it is not labelled as a snapshot of blockstore' };
    const { volume, labels } = snapshotShape.parse(parseJson(text));
    return { id, volumeId: volume, sizeBytes, labels };
  } catch (error) {
    const reason = errorCode(error) ?? 'it is damaged';
    return { ...unlabelled, unusable: `its labels cannot be read: ${file}: ${reason}` };
  }
}

/** Returns no labels for a volume without labels or with a foreign file in their place. */
async function readLabels(directory: string, id: string): Promise<Labels> {
  const text = (await readIfExists(labelFile(directory, id))) ?? '{}';
  return shape.safeParse(parseJson(text)).data ?? {};
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
