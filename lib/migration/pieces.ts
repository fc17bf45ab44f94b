import { createHash } from 'node:crypto';

/** What is compared, and sent again where it has changed. */
export const pieceBytes = 2 ** 20;
const digestBytes = 32;

/** Pieces of a volume in a row: the first, and how many. */
export interface Run {
  first: number;
  count: number;
}

/** Adds a run that is behind the others; it becomes a part of the last one where that ends at it. */
export function addRun(runs: Run[], { first, count }: Run): void {
  const last = runs.at(-1);
  if (last && last.first + last.count === first) last.count += count;
  else runs.push({ first, count });
}

/** The SHA-256 of each piece of a volume. */
export class Digests {
  private readonly bytes: Buffer;

  constructor(sizeBytes: number) {
    this.bytes = Buffer.alloc(Math.ceil(sizeBytes / pieceBytes) * digestBytes);
  }

  /** Returns whether the piece has had that digest already. */
  note(piece: number, digest: Buffer): boolean {
    if (this.has(piece, digest)) return true;
    digest.copy(this.bytes, piece * digestBytes);
    return false;
  }

  has(piece: number, digest: Buffer): boolean {
    return this.of(piece).equals(digest);
  }

  isKnown(piece: number): boolean {
    return this.of(piece).some((byte) => byte !== 0);
  }

  /** The checksum of the whole volume: the SHA-256 of all digests. */
  sum(): Buffer {
    return createHash('sha256').update(this.bytes).digest();
  }

  private of(piece: number): Buffer {
    return this.bytes.subarray(piece * digestBytes, (piece + 1) * digestBytes);
  }
}

const zeros = Buffer.alloc(pieceBytes);
const digestOfZeros = createHash('sha256').update(zeros).digest();

export function isZero(piece: Buffer): boolean {
  return piece.equals(zeros.subarray(0, piece.length));
}

/** The bytes of a piece of zeros. */
export function zerosOf(length: number): Buffer {
  return zeros.subarray(0, length);
}

/** A whole piece of zeros always has the same digest: it is compared with zeros, at forty times the speed of a hash. */
export function digestOf(piece: Buffer): Buffer {
  if (piece.length === pieceBytes && isZero(piece)) return digestOfZeros;
  return createHash('sha256').update(piece).digest();
}

/** Yields what a stream has in whole pieces; the last one may be shorter. Those of zeros share their memory: it is not to be changed. */
export async function* piecesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let parts: Buffer[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    for (let begin = 0; begin < chunk.length; ) {
      const part = chunk.subarray(begin, begin + pieceBytes - length);
      parts.push(part);
      begin += part.length;
      length += part.length;
      if (length < pieceBytes) continue;
      yield pieceOf(parts, length);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) yield pieceOf(parts, length);
}

/** New memory for each piece of a large volume costs more than to compare it. */
function pieceOf(parts: readonly Buffer[], length: number): Buffer {
  return parts.every(isZero) ? zerosOf(length) : Buffer.concat(parts, length);
}
