import type { Labels, VolumeSpec } from '../driver.ts';
import type { SnapshotSpec } from '../snapshots.ts';
import type { LogicalVolume } from './reports.ts';
import { labelTags, labelsIn, ourTag, tagsOf } from './tags.ts';

/** Names and tags of logical volumes that are no volumes. Their tags are no labels: no label has a hyphen in its name. */

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}';

export function snapshotName({ id }: Pick<SnapshotSpec, 'id'>): string {
  return `snap-${id}`;
}

/** A volume that is being copied has this name until all its data is there. */
export function copyName({ id }: Pick<VolumeSpec, 'id'>): string {
  return `copy-${id}`;
}

/** The snapshot that a volume is copied from; `id` is that of the copy. */
export function sourceName({ id }: Pick<VolumeSpec, 'id'>): string {
  return `source-${id}`;
}

/** Throws InvalidArgument for a label that does not fit a tag. */
export function snapshotTags(snapshot: SnapshotSpec): string[] {
  return [
    ourTag,
    `${ourTag}:snapshot-id=${snapshot.id}`,
    `${ourTag}:snapshot-of=${snapshot.volume.id}`,
    `${ourTag}:snapshot-bytes=${snapshot.volume.sizeBytes}`,
    ...labelTags(snapshot.labels),
  ];
}

/** Of a copy that is not whole, and of its source. */
export function copyTags(volume: VolumeSpec): string[] {
  return [ourTag, copyTag(volume), ...labelTags(volume.labels)];
}

export function copyTag({ id }: Pick<VolumeSpec, 'id'>): string {
  return `${ourTag}:copy-id=${id}`;
}

/** What the tags of a snapshot say. Returns undefined for a logical volume that is none of ours, whatever its name. */
export function snapshotIn({
  name,
  tags,
}: Pick<LogicalVolume, 'name' | 'tags'>):
  | { id: string; volumeId: string; sizeBytes: number; labels: Labels }
  | undefined {
  const id = valueOf(tags, 'snapshot-id');
  const volumeId = valueOf(tags, 'snapshot-of');
  if (id === undefined || volumeId === undefined || name !== snapshotName({ id })) return undefined;
  return { id, volumeId, sizeBytes: Number(valueOf(tags, 'snapshot-bytes') ?? 0), labels: labelsIn(tags).labels };
}

/** Returns the id of the volume that a logical volume of ours is the unfinished copy of, or the source of that copy. */
export function copyIdOf({ name, tags }: Pick<LogicalVolume, 'name' | 'tags'>): string | undefined {
  const id = new RegExp(`^(?:copy|source)-(${uuid})$`).exec(name)?.[1];
  if (id === undefined) return undefined;
  return tags.includes(copyTag({ id })) || (name === copyName({ id }) && isCopied({ id }, tags)) ? id : undefined;
}

/** Whether a copy has all its data and lacks only the name of the volume. */
export function isCopied({ id }: Pick<VolumeSpec, 'id'>, tags: readonly string[]): boolean {
  return labelsIn(tags).id === id;
}

/** Returns how the tags of a copy change when its data is whole. */
export function finishingTags(volume: VolumeSpec): string[] {
  return ['--deltag', copyTag(volume), ...tagsOf(volume).flatMap((tag) => ['--addtag', tag])];
}

/** Returns the id in the name of a snapshot of ours. */
export function snapshotIdIn(name: string): string | undefined {
  return new RegExp(`^snap-(${uuid})$`).exec(name)?.[1];
}

/** Returns the id of the volume that is being copied from a snapshot of that name. */
export function sourceIdIn(name: string): string | undefined {
  return new RegExp(`^source-(${uuid})$`).exec(name)?.[1];
}

function valueOf(tags: readonly string[], name: string): string | undefined {
  const start = `${ourTag}:${name}=`;
  return tags.find((tag) => tag.startsWith(start))?.slice(start.length);
}
