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

/** Returns `blockstore,id:…,node:…,l.user:alice`. Throws InvalidArgument. */
export function writeDescription({ labels, isDeleted, ...fields }: Description): string {
  const own = Object.entries({ ...fields, ...(isDeleted ? { deleted: '1' } : {}) });
  const pairs = [...own, ...Object.entries(labels).map(([name, value]) => [`l.${name}`, value] as const)];
  const text = [mark, ...pairs.map(([name, value]) => `${name}:${escaped(value)}`)].join(',');
  if (text.length <= longest) return text;
  throw errors.invalidArgument('LeftHand description', text, `at most ${longest} characters long`);
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
