import path from 'node:path';
import { z } from 'zod';
import { errorCode, readIfExists, replaceFile } from '../../files.ts';
import { type FoundVolume, type Labels, type VolumeSpec, checkLabels } from '../driver.ts';

const shape = z.record(z.string(), z.string());

export function labelFile(directory: string, id: string): string {
  return path.join(directory, `${id}.json`);
}

/** Replaces the labels atomically: after a crash either the old or the new ones exist. */
export async function writeLabels(directory: string, { id, labels }: VolumeSpec): Promise<void> {
  checkLabels(labels);
  await replaceFile(labelFile(directory, id), `${JSON.stringify(labels)}\n`, { flush: true, mode: 0o600 });
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
