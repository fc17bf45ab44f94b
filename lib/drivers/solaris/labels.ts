import { errors } from '../../errors.ts';
import { type Labels, checkLabels } from '../driver.ts';

/** The user property with the labels: one for all, because Solaris sets one property at a time. Snapshots inherit it. */
export const labelProperty = 'blockstore:labels';
/** The user property of the dataset with the node whose volumes are in it. */
export const nodeProperty = 'blockstore:node';

const longestValue = 1024;

export interface Labelled {
  /** What the labels were written for. */
  id: string;
  /** Of a snapshot: its volume. */
  volumeId: string;
  labels: Labels;
}

/** Returns the property's value: `id=…&user=alice`, in the form of URL queries. Throws InvalidArgument. */
export function writeLabels({ id, volumeId, labels }: { id: string; volumeId?: string; labels: Labels }): string {
  checkLabels(labels);
  const own = { id, ...(volumeId === undefined ? {} : { volumeId }) };
  const text = new URLSearchParams({ ...own, ...labels }).toString();
  if (text.length > longestValue) {
    throw errors.invalidArgument('ZFS property', text, `at most ${longestValue} characters long`);
  }
  return text;
}

/** Returns undefined for anything that writeLabels() has not written. */
export function readLabels(text: string): Labelled | undefined {
  const { id, volumeId = '', ...labels }: Record<string, string> = Object.fromEntries(new URLSearchParams(text));
  return id === undefined ? undefined : { id, volumeId, labels };
}

/** Whether the labels are exactly these. */
export function sameLabels(one: Labels, other: Labels): boolean {
  const text = (labels: Labels) => JSON.stringify(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
  return text(one) === text(other);
}
