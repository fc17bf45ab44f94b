import { createHash } from 'node:crypto';

/** What is compared, and sent again where it has changed. */
export const pieceBytes = 2 ** 20;
const digestBytes = 32;

/** Pieces of a volume in a row: the first, and how many. */
export interface Run {
  first: number;
  count: number;
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

export function digestOf(piece: Buffer): Buffer {
  return createHash('sha256').update(piece).digest();
}

/** Yields what a stream has in whole pieces; the last one may be shorter. */
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
      yield Buffer.concat(parts, length);
      parts = [];
      length = 0;
    }
  }
  if (length > 0) yield Buffer.concat(parts, length);
}
