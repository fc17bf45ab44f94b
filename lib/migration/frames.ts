import type { Readable } from 'node:stream';
import { isZero, pieceBytes } from './pieces.ts';

/**
 * What a node sends: frames of one byte for the kind, four for a length, and what follows them. `data` has so many bytes of a piece; `zeros`
 * stands for so many, `same` for a piece as it was sent before. A pass over the volume ends with `end`, or with `pass` where another one
 * follows: both have the checksum of all.
 */
const kinds = { data: 0, zeros: 1, end: 2, same: 3, pass: 4 } as const;
const headerBytes = 5;
export const checksumBytes = 32;

/** Thrown for what no node of this version sends, or the volume has no place for. */
export class BadFrame extends Error {}

export type Frame =
  | { kind: 'data'; length: number; parts: AsyncIterable<Buffer> }
  | { kind: 'zeros' | 'same'; length: number }
  | { kind: 'end'; checksum: Buffer; isLast: boolean };

/** `data` follow the head; none where they are zeros. */
export function frameOf(piece: Buffer): { head: Buffer; data: Buffer } {
  const isData = !isZero(piece);
  return { head: header(isData ? kinds.data : kinds.zeros, piece.length), data: isData ? piece : Buffer.alloc(0) };
}

export function sameFrame(piece: Buffer): Buffer {
  return header(kinds.same, piece.length);
}

export function endFrame(checksum: Buffer, isLast: boolean): Buffer {
  return Buffer.concat([header(isLast ? kinds.end : kinds.pass, checksum.length), checksum]);
}

function header(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt8(kind);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** Reads passes over a volume of `sizeBytes`: each frame of a piece has exactly that piece. */
export class FrameReader {
  private readonly bytes: ByteReader;
  private readonly sizeBytes: number;
  private received = 0;

  constructor(stream: Readable, sizeBytes: number) {
    this.bytes = new ByteReader(stream);
    this.sizeBytes = sizeBytes;
  }

  /** The parts of the frame before must have been read. Throws BadFrame. */
  async next(): Promise<Frame> {
    const { sizeBytes, received } = this;
    const head = await this.bytes.read(headerBytes);
    const kind = head.readUInt8();
    const length = head.readUInt32BE(1);
    if (kind === kinds.end || kind === kinds.pass) {
      if (length !== checksumBytes) throw new BadFrame(`a checksum of ${length} bytes`);
      if (received !== sizeBytes) throw new BadFrame(`${received} bytes in place of ${sizeBytes}`);
      this.received = 0;
      return { kind: 'end', checksum: await this.bytes.read(length), isLast: kind === kinds.end };
    }
    if (received + length > sizeBytes) throw new BadFrame(`more than the ${sizeBytes} bytes of the volume`);
    this.received += length;
    if (length !== pieceBytes && this.received !== sizeBytes) throw new BadFrame(`a piece of ${length} bytes`);
    if (kind === kinds.same) return { kind: 'same', length };
    if (kind === kinds.zeros) return { kind: 'zeros', length };
    if (kind === kinds.data) return { kind: 'data', length, parts: this.bytes.parts(length) };
    throw new BadFrame(`a frame of kind ${kind}`);
  }
}

/** Reads a stream in the lengths that are needed, and leaves it open. */
class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private rest: Buffer = Buffer.alloc(0);

  constructor(stream: Readable) {
    this.chunks = stream.iterator({ destroyOnReturn: false });
  }

  async read(length: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for await (const part of this.parts(length)) parts.push(part);
    return parts.length === 1 && parts[0] ? parts[0] : Buffer.concat(parts);
  }

  /** The next `length` bytes as they came. Throws BadFrame where the stream ends before. */
  async *parts(length: number): AsyncGenerator<Buffer> {
    for (let missing = length; missing > 0; ) {
      if (this.rest.length === 0) {
        const next = await this.chunks.next();
        if (next.done === true) throw new BadFrame('no end: the connection was closed');
        this.rest = next.value;
      }
      const part = this.rest.subarray(0, missing);
      this.rest = this.rest.subarray(part.length);
      missing -= part.length;
      yield part;
    }
  }
}
