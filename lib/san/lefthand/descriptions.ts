import { errors } from '../../errors.ts';

/** What the description of a volume or snapshot of ours has: the fields of blockstore, and the labels. */
export interface Description {
  /** What it was written for. */
  id: string;
  /** The node that made it. */
  node: string;
  /** Of a snapshot: its volume. */
  volumeId?: string;
  /** Of a clone: the name of the snapshot that it was made from. */
  origin?: string;
  /** Deleted for everybody else: it goes with the last volume that was made from it. */
  isDeleted?: boolean;
  labels: Readonly<Record<string, string>>;
}

const mark = 'blockstore';
const longest = 1000;
/** Lengths of what is added to the description of a clone, and by a deletion that must wait. */
const ofOrigin = ',origin:clone-'.length + 36;
const ofDeletion = ',deleted:1'.length;

/** Returns `blockstore,id:…,node:…,l.user:alice`, with space for what is added later. Throws InvalidArgument. */
export function writeDescription({ labels, isDeleted, ...fields }: Description): string {
  const own = Object.entries({ ...fields, ...(isDeleted ? { deleted: '1' } : {}) });
  const pairs = [...own, ...Object.entries(labels).map(([name, value]) => [`l.${name}`, value] as const)];
  const text = [mark, ...pairs.map(([name, value]) => `${name}:${escaped(value)}`)].join(',');
  const added = isDeleted ? 0 : ofDeletion + (fields.origin === undefined ? ofOrigin : 0);
  const most = longest - added;
  if (text.length <= most) return text;
  throw errors.invalidArgument('LeftHand description', text, `at most ${most} characters long`);
}

/** Returns undefined for any other description. */
export function readDescription(text: string): Description | undefined {
  const [first, ...parts] = text.split(',');
  if (first !== mark) return undefined;
  const pairs = parts.map(
    (part) => [part.slice(0, part.indexOf(':')), unescaped(part.slice(part.indexOf(':') + 1))] as const,
  );
  const own: Record<string, string> = Object.fromEntries(pairs.filter(([name]) => !name.startsWith('l.')));
  const labels = Object.fromEntries(
    pairs.flatMap(([name, value]) => (name.startsWith('l.') ? [[name.slice(2), value]] : [])),
  );
  const { id, node, volumeId, origin, deleted } = own;
  if (id === undefined || node === undefined) return undefined;
  return {
    id,
    node,
    ...(volumeId === undefined ? {} : { volumeId }),
    ...(origin === undefined ? {} : { origin }),
    ...(deleted === undefined ? {} : { isDeleted: true }),
    labels,
  };
}

function escaped(text: string): string {
  return encodeURIComponent(text).replaceAll(/[!~*'()]/g, (character) => `%${character.charCodeAt(0).toString(16)}`);
}

function unescaped(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
