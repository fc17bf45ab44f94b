import { errors } from '../../errors.ts';
import { type Labels, type VolumeSpec, checkLabels } from '../driver.ts';
import type { SnapshotSpec } from '../snapshots.ts';
import type { Image } from './answers.ts';

/** Attribute with the labels of a volume. */
export const labelKey = 'blockstore';

/** Values of attributes have at most 64 KiB. */
const longestValue = 65_000;
const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

export function imageName({ id }: Pick<VolumeSpec, 'id'>): string {
  return `volume-${id}`;
}

export function snapshotTag({ id }: Pick<SnapshotSpec, 'id'>): string {
  return `snap-${id}`;
}

/** Tag of the snapshot that is there while a volume is cloned from another one. */
export function cloneTag({ id }: Pick<VolumeSpec, 'id'>): string {
  return `clone-${id}`;
}

/** Attribute of the image of the volume, with the labels of a snapshot: dog gives snapshots no attributes of their own. */
export function snapshotKey(snapshot: Pick<SnapshotSpec, 'id'>): string {
  return `${labelKey}-${snapshotTag(snapshot)}`;
}

/** Returns the id of the volume that an image is named after; undefined for other images and for snapshots. */
export function volumeIdOf({ kind, name }: Image): string | undefined {
  return kind === 'snapshot' ? undefined : idIn('volume', name);
}

export function snapshotIdsOf({ kind, name, tag }: Image): { id: string; volumeId: string } | undefined {
  const [id, volumeId] = [idIn('snap', tag), idIn('volume', name)];
  return kind !== 'snapshot' || id === undefined || volumeId === undefined ? undefined : { id, volumeId };
}

function idIn(kind: string, name: string): string | undefined {
  return new RegExp(`^${kind}-(${uuid})$`).exec(name)?.[1];
}

/**
 * Labels as the value of an attribute: `user=alice&…&id=<id>`, in which a shell finds nothing to interpret within single quotes. The id
 * is last: a value that is cut off has none. Throws InvalidArgument.
 */
export function encodeLabels(id: string, labels: Labels): string {
  checkLabels(labels);
  const value = new URLSearchParams({ ...labels, id }).toString();
  if (value.length <= longestValue) return value;
  throw errors.invalidArgument('labels', `${value.slice(0, 40)}…`, `at most ${longestValue} bytes long in all`);
}

/** Returns undefined for a value that is not that of labels of `id`. */
export function decodeLabels(id: string, value: string): Labels | undefined {
  const { id: found, ...labels } = Object.fromEntries(new URLSearchParams(value));
  return found === id ? labels : undefined;
}
