import { errors } from '../../errors.ts';
import { type Labels, type VolumeSpec, checkLabels } from '../driver.ts';
import type { LogicalVolume } from './reports.ts';

/** Tag of every LV of blockstore, which selects them all: `lvs @blockstore`. */
export const ourTag = 'blockstore';

const longestTag = 1024;

/** Returns the tags of a volume. Throws InvalidArgument for a label that does not fit a tag. */
export function tagsOf({ id, labels }: Pick<VolumeSpec, 'id' | 'labels'>): string[] {
  return [ourTag, `${ourTag}:id=${id}`, ...labelTags(labels)];
}

/** Returns labels as tags such as `blockstore:user=alice`. Throws InvalidArgument for a label that does not fit a tag. */
export function labelTags(labels: Labels): string[] {
  checkLabels(labels);
  const tags = Object.entries(labels).map(([name, value]) => `${ourTag}:${name}=${escapeTag(value)}`);
  const long = tags.find((tag) => tag.length > longestTag);
  if (long !== undefined) throw errors.invalidArgument('LVM tag', long, `at most ${longestTag} characters long`);
  return tags;
}

/** Returns tags as labels, without foreign tags. `id` is the volume that the tags were written for. */
export function labelsIn(tags: readonly string[]): { id?: string; labels: Labels } {
  const pairs = tags.flatMap((tag) => {
    const [, name, value] = /^blockstore:([a-z]{1,30})=(.*)$/.exec(tag) ?? [];
    return name === undefined || value === undefined ? [] : [[name, unescapeTag(value)] as const];
  });
  const { id, ...labels }: Record<string, string> = Object.fromEntries(pairs);
  return id === undefined ? { labels } : { id, labels };
}

export function lvName({ id }: Pick<VolumeSpec, 'id'>): string {
  return `volume-${id}`;
}

/** Returns undefined for a logical volume that is not labelled ours, whatever its name. */
export function volumeId({ name, tags }: Pick<LogicalVolume, 'name' | 'tags'>): string | undefined {
  const id = idInName(name);
  return labelsIn(tags).id === id ? id : undefined;
}

/** Returns the id of the volume that a logical volume is named after. */
export function idInName(name: string): string | undefined {
  return /^volume-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(name)?.[1];
}

/** Whether the tags of ours are exactly those. */
export function areTags(tags: readonly string[], expected: readonly string[]): boolean {
  const ours = tags.filter(isOurs);
  return ours.length === expected.length && expected.every((tag) => ours.includes(tag));
}

/** Returns how to make the tags of ours exactly those, as arguments of lvchange. */
export function tagChanges(tags: readonly string[], expected: readonly string[]): string[] {
  const old = tags.filter((tag) => isOurs(tag) && !expected.includes(tag));
  return [...old.flatMap((tag) => ['--deltag', tag]), ...expected.flatMap((tag) => ['--addtag', tag])];
}

function isOurs(tag: string): boolean {
  return tag === ourTag || tag.startsWith(`${ourTag}:`);
}

/** LVM allows A-Z a-z 0-9 _ + . - / = ! : & #. Every other byte of UTF-8, and `!`, becomes ! and two hexadecimal digits. */
function escapeTag(text: string): string {
  return Array.from(Buffer.from(text), (byte) => {
    const character = String.fromCharCode(byte);
    return /[A-Za-z0-9_+./=:&#-]/.test(character) ? character : `!${byte.toString(16).padStart(2, '0')}`;
  }).join('');
}

function unescapeTag(text: string): string {
  const bytes = text.replace(/!([0-9a-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
