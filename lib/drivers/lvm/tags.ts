import { errors } from '../../errors.ts';
import type { FoundVolume, VolumeSpec } from '../driver.ts';

/** On every LV of ours, so that all can be named at once: `lvs @blockstore`. */
export const ourTag = 'blockstore';

const longestTag = 1024;

type Labels = Omit<FoundVolume, 'id' | 'sizeBytes'> & { id?: string };

/**
 * What is kept of a volume beside its data: `blockstore:user=alice` and so on. Throws InvalidArgument for what LVM has
 * no room for.
 */
export function tagsOf(volume: VolumeSpec): string[] {
  const labels = {
    id: volume.id,
    user: volume.userId,
    project: volume.projectId,
    size: volume.size,
    shelf: volume.shelfId,
    blade: volume.bladeId,
  };
  const tags = Object.entries(labels).flatMap(([name, value]) =>
    value === undefined ? [] : [`${ourTag}:${name}=${escapeTag(String(value))}`],
  );
  const long = tags.find((tag) => tag.length > longestTag);
  if (long !== undefined) throw errors.invalidArgument('LVM tag', long, `at most ${longestTag} characters long`);
  return [ourTag, ...tags];
}

/** The reverse. Tags of others, and numbers that are none, are passed over. */
export function labelsIn(tags: readonly string[]): Labels {
  const values = new Map<string, string>();
  for (const tag of tags) {
    const [, name, value] = /^blockstore:([a-z]+)=(.*)$/.exec(tag) ?? [];
    if (name !== undefined && value !== undefined) values.set(name, unescapeTag(value));
  }
  const text = (name: string) => values.get(name);
  const whole = (name: string) => (/^\d{1,15}$/.test(values.get(name) ?? '') ? Number(values.get(name)) : undefined);
  return present({
    id: text('id'),
    userId: text('user'),
    projectId: text('project'),
    size: whole('size'),
    shelfId: whole('shelf'),
    bladeId: whole('blade'),
  });
}

/** LVM allows A-Z a-z 0-9 _ + . - / = ! : & #. Every byte of UTF-8 that is none of these, and `!`, becomes ! and two hexadecimal digits. */
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

function present<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  const found: { [K in keyof T]?: Exclude<T[K], undefined> } = {};
  for (const name in fields) {
    const value = fields[name];
    if (isPresent(value)) found[name] = value;
  }
  return found;
}

function isPresent<T>(value: T): value is Exclude<T, undefined> {
  return value !== undefined;
}
