import type { Readable } from 'node:stream';

/**
 * What a node sends: frames of one byte for the kind, four for a length, and what follows them. `data` has so many bytes; `zeros` stands
 * for so many; `end` has the SHA-256 of all.
 */
const kinds = { data: 0, zeros: 1, end: 2 } as const;
const headerBytes = 5;
const maxDataBytes = 2 ** 20;
export const checksumBytes = 32;

const zeros = Buffer.alloc(maxDataBytes);

/** Thrown for what no node of this version sends, or the volume has no place for. */
export class BadFrame extends Error {}

export function* framesOf(chunk: Buffer): Generator<Buffer> {
  for (let begin = 0; begin < chunk.length; begin += maxDataBytes) {
    const part = chunk.subarray(begin, begin + maxDataBytes);
    if (part.equals(zeros.subarray(0, part.length))) {
      yield header(kinds.zeros, part.length);
    } else {
      yield header(kinds.data, part.length);
      yield part;
    }
  }
}

export function endFrame(checksum: Buffer): Buffer {
  return Buffer.concat([header(kinds.end, checksum.length), checksum]);
}

function header(kind: number, length: number): Buffer {
  const bytes = Buffer.alloc(headerBytes);
  bytes.writeUInt8(kind);
  bytes.writeUInt32BE(length, 1);
  return bytes;
}

/** Yields the data of exactly `sizeBytes`; returns the checksum that the other node states. Throws BadFrame. */
export async function* dataIn(stream: Readable, sizeBytes: number): AsyncGenerator<Buffer, Buffer> {
  const bytes = new ByteReader(stream);
  let received = 0;
  for (;;) {
    const head = await bytes.read(headerBytes);
    const kind = head.readUInt8();
    const length = head.readUInt32BE(1);
    if (kind === kinds.end) {
      if (length !== checksumBytes) throw new BadFrame(`a checksum of ${length} bytes`);
      if (received !== sizeBytes) throw new BadFrame(`${received} bytes in place of ${sizeBytes}`);
      return await bytes.read(length);
    }
    received += length;
    if (received > sizeBytes) throw new BadFrame(`more than the ${sizeBytes} bytes of the volume`);
    if (length > maxDataBytes) throw new BadFrame(`a frame of ${length} bytes`);
    if (kind === kinds.zeros) yield zeros.subarray(0, length);
    else if (kind === kinds.data) yield* bytes.parts(length);
    else throw new BadFrame(`a frame of kind ${kind}`);
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
