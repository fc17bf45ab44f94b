/** Yields the data of a stream in pieces of so many bytes; the last one can be shorter. */
export async function* piecesOf(stream: AsyncIterable<Buffer>, length: number): AsyncGenerator<Buffer> {
  let piece = Buffer.alloc(length);
  let filled = 0;
  for await (const chunk of stream) {
    for (let taken = 0; taken < chunk.length; ) {
      const part = chunk.subarray(taken, taken + length - filled);
      part.copy(piece, filled);
      taken += part.length;
      filled += part.length;
      if (filled < length) continue;
      yield piece;
      piece = Buffer.alloc(length);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}
