import { z } from 'zod';
import { errors } from '../../errors.ts';
import { type Labels, checkLabels } from '../driver.ts';

/**
 * Labels are one JSON text in the metadata of an image, with the id that they were written for: they change as a whole, and a
 * copy, which inherits metadata, is not taken for its source. Those of a snapshot are in the metadata of its volume.
 */
const volumeKey = 'blockstore:labels';

export function snapshotKey(id: string): string {
  return `blockstore:snap-${id}`;
}

const labelsShape = z.record(z.string(), z.string());
export const metadataShape = z.record(z.string(), z.string());
export type Metadata = z.infer<typeof metadataShape>;

/** Returns key and value, as arguments of `image-meta set`. Throws InvalidArgument. */
export function labelArguments({ id, labels }: { id: string; labels: Labels }, key = volumeKey): [string, string] {
  checkLabels(labels);
  const value = JSON.stringify({ id, ...labels });
  if (Buffer.byteLength(value) > maxLabelBytes)
    throw errors.invalidArgument('labels', labels, `${maxLabelBytes} bytes at most`);
  return [key, value];
}

/** A value is one argument of a command. */
const maxLabelBytes = 65_536;

/** Returns undefined where there are none that were written for that id. */
export function labelsIn(metadata: Metadata, id: string, key = volumeKey): Labels | undefined {
  const parsed = labelsShape.safeParse(parseJson(metadata[key] ?? ''));
  if (!parsed.success || parsed.data['id'] !== id) return undefined;
  const { id: _, ...labels } = parsed.data;
  return labels;
}

/** Whether two sets of labels are the same. */
export function sameLabels(one: Labels, other: Labels): boolean {
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name]);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
