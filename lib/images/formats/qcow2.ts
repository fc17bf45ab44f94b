import { type ImageBytes, Unusable, maxReadBytes, safe } from '../image-bytes.ts';

/** QEMU's qcow2; its specification is docs/interop/qcow2.txt of QEMU. Numbers are big-endian. */

const magic = 0x514649fb;
/** Bits of the incompatible features of a version 3. */
const dirty = 1n;
const corrupt = 2n;
const dataFile = 4n;
const compression = 8n;
const extendedTables = 16n;
const known = dirty | corrupt | dataFile | compression | extendedTables;
/** Types of header extensions. */
const endOfExtensions = 0;
const nameOfDataFile = 0x44415441;
const entryBytes = 8;
/** In entries of both tables: where the next one, or the data, are. */
const offsetMask = 0x00fffffffffffe00n;
const compressedFlag = 1n << 62n;
/** QEMU's own limit. */
const maxTableBytes = 32 * 2 ** 20;

/** Returns the virtual size in bytes. Throws Unusable. */
export async function qcow2Size(image: ImageBytes): Promise<number> {
  const header = await image.read(0, 72);
  if (header.readUInt32BE(0) !== magic) throw new Unusable('it is no qcow2');
  const version = header.readUInt32BE(4);
  if (version !== 2 && version !== 3) throw new Unusable(`it is a qcow2 of version ${version}`);
  if (header.readBigUInt64BE(8) !== 0n) throw new Unusable('it has a backing file');
  if (header.readUInt32BE(32) !== 0) throw new Unusable('it is encrypted');
  const features = version === 3 ? await featuresOf(image) : 0n;
  const clusterBits = header.readUInt32BE(20);
  if (clusterBits < 9 || clusterBits > 21) throw new Unusable(`its clusters have 2^${clusterBits} bytes`);
  const sizeBytes = safe(header.readBigUInt64BE(24), 'its virtual size');
  await checkTables(image, {
    clusterBytes: 2 ** clusterBits,
    entries: header.readUInt32BE(36),
    offset: safe(header.readBigUInt64BE(40), 'the offset of its first table'),
    sizeBytes,
    bytesPerEntry: features & extendedTables ? 2 * entryBytes : entryBytes,
  });
  return sizeBytes;
}

async function featuresOf(image: ImageBytes): Promise<bigint> {
  const header = await image.read(72, 32);
  const features = header.readBigUInt64BE(0);
  if (features & dataFile) throw new Unusable('it has an external data file');
  if (features & corrupt) throw new Unusable('it is marked as corrupt');
  if (features & ~known) throw new Unusable(`it has unknown features: 0x${features.toString(16)}`);
  let offset = header.readUInt32BE(28);
  for (let count = 0; count < 64; count += 1) {
    const extension = await image.read(offset, 8);
    const type = extension.readUInt32BE(0);
    if (type === endOfExtensions) return features;
    if (type === nameOfDataFile) throw new Unusable('it has an external data file');
    offset += 8 + Math.ceil(extension.readUInt32BE(4) / 8) * 8;
  }
  throw new Unusable('its header does not end');
}

interface Tables {
  clusterBytes: number;
  /** Of the first table. */
  entries: number;
  offset: number;
  sizeBytes: number;
  /** Of the second tables; with extended ones each entry has a bitmap behind it. */
  bytesPerEntry: number;
}

/** QEMU reads zeros where a cluster is beyond the end of the file: a truncated image would be taken for whole. */
async function checkTables(image: ImageBytes, tables: Tables): Promise<void> {
  const { clusterBytes, entries, offset, sizeBytes, bytesPerEntry } = tables;
  const perTable = clusterBytes / bytesPerEntry;
  if (entries * entryBytes > maxTableBytes || entries < Math.ceil(sizeBytes / clusterBytes / perTable)) {
    throw new Unusable(`its first table has ${entries} entries`);
  }
  const seen = new Set<number>();
  for await (const entry of entriesOf(image, offset, entries, entryBytes)) {
    const table = Number(entry & offsetMask);
    // Each once: a table that many entries name would be read that often.
    if (table === 0 || seen.has(table)) continue;
    seen.add(table);
    for await (const data of entriesOf(image, table, perTable, bytesPerEntry)) {
      const isCompressed = (data & compressedFlag) !== 0n;
      // Of compressed data the upper bits are a length; QEMU itself fails where they end too early.
      if (!isCompressed && Number(data & offsetMask) >= image.sizeBytes) throw new Unusable('it is truncated');
    }
  }
}

async function* entriesOf(
  image: ImageBytes,
  offset: number,
  count: number,
  bytesPerEntry: number,
): AsyncGenerator<bigint> {
  const perRead = maxReadBytes / bytesPerEntry;
  for (let first = 0; first < count; first += perRead) {
    const part = await image.read(offset + first * bytesPerEntry, Math.min(perRead, count - first) * bytesPerEntry);
    for (let at = 0; at < part.length; at += bytesPerEntry) yield part.readBigUInt64BE(at);
  }
}
