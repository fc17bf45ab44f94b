/**
 * Bytes that a thick snapshot copies at a time. The kernel has a record in memory for each copied chunk, and 64 KiB make that 512
 * MiB for a TiB that is overwritten, where LVM's 4 KiB would make it 8 GiB.
 */
export const chunkBytes = 65_536;

/** A record on disk of a copied chunk has 16 bytes; they fill chunks of their own. */
const recordsPerChunk = chunkBytes / 16;

/** The header of the snapshot, and the chunk that the kernel wants free after the last one. */
const fixedChunks = 2;

/** Returns the bytes that a snapshot needs so that so many percent of its volume can be overwritten: with 100 it never overflows. */
export function snapshotRoom(volumeBytes: number, percent: number): number {
  const chunks = Math.ceil((Math.ceil(volumeBytes / chunkBytes) * percent) / 100);
  return (chunks + Math.floor(chunks / recordsPerChunk) + 1 + fixedChunks) * chunkBytes;
}
