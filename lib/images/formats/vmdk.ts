import { type ImageBytes, Unusable, maxReadBytes, safe } from '../image-bytes.ts';

/** VMware's VMDK in one file, as hosted products and OVF have it. Numbers are little-endian. */

const sectorBytes = 512;
/** "KDMV" */
const magic = 0x564d444b;
const maxDescriptorSectors = 2048;
const inOneFile = new Set(['monolithicSparse', 'streamOptimized']);
const noParent = 'ffffffff';

/** Where a grain directory is behind the data, and the header's copy at the end of the file says where. */
const atEnd = 0xffffffffffffffffn;
/** Entries of a grain table below this stand for zeros. */
const firstGrain = 2;
const maxTableEntries = 512;

/** Returns the virtual size in bytes. Throws Unusable. */
export async function vmdkSize(image: ImageBytes): Promise<number> {
  const header = await image.read(0, sectorBytes);
  if (header.toString('latin1', 0, 21) === '# Disk DescriptorFile') throw new Unusable('its data are in other files');
  if (header.readUInt32LE(0) !== magic) throw new Unusable('it is no VMDK in one file');
  const version = header.readUInt32LE(4);
  if (version < 1 || version > 3) throw new Unusable(`it is a VMDK of version ${version}`);
  const capacity = safe(header.readBigUInt64LE(12), 'its virtual size');
  // QEMU takes the files that its descriptor names then.
  if (capacity === 0) throw new Unusable('its data are in other files');
  const offset = safe(header.readBigUInt64LE(28), 'the offset of its descriptor');
  const length = safe(header.readBigUInt64LE(36), 'the length of its descriptor');
  if (offset === 0 || length === 0 || length > maxDescriptorSectors) throw new Unusable('it has no descriptor');
  checkDescriptor((await image.read(offset * sectorBytes, length * sectorBytes)).toString('latin1'));
  await checkGrains(image, header, capacity);
  return capacity * sectorBytes;
}

/** QEMU reads zeros where a grain is beyond the end of the file: a truncated image would be taken for whole. */
async function checkGrains(image: ImageBytes, header: Buffer, capacity: number): Promise<void> {
  const perTable = header.readUInt32LE(44);
  const grain = safe(header.readBigUInt64LE(20), 'the size of its grains');
  if (perTable === 0 || perTable > maxTableEntries || grain === 0) throw new Unusable('its grain tables have no size');
  const directory = await directoryOf(image, header);
  const tables = Math.ceil(capacity / (perTable * grain));
  const seen = new Set<number>();
  for await (const table of sectorsIn(image, directory, tables)) {
    // Each once: a table that many entries name would be read that often.
    if (table === 0 || seen.has(table)) continue;
    seen.add(table);
    for await (const sector of sectorsIn(image, table, perTable)) {
      if (sector >= firstGrain && sector * sectorBytes >= image.sizeBytes) throw new Unusable('it is truncated');
    }
  }
}

/** Returns the sector of the grain directory. */
async function directoryOf(image: ImageBytes, header: Buffer): Promise<number> {
  const place = header.readBigUInt64LE(56);
  if (place !== atEnd) return safe(place, 'the offset of its grain directory');
  const footer = await image.read(image.sizeBytes - 2 * sectorBytes, sectorBytes);
  if (footer.readUInt32LE(0) !== magic) throw new Unusable('it is truncated');
  // QEMU takes everything from the copy.
  if (!footer.subarray(0, 56).equals(header.subarray(0, 56))) throw new Unusable('its two headers differ');
  return safe(footer.readBigUInt64LE(56), 'the offset of its grain directory');
}

async function* sectorsIn(image: ImageBytes, sector: number, count: number): AsyncGenerator<number> {
  const perRead = maxReadBytes / 4;
  for (let first = 0; first < count; first += perRead) {
    const part = await image.read(sector * sectorBytes + first * 4, Math.min(perRead, count - first) * 4);
    for (let at = 0; at < part.length; at += 4) yield part.readUInt32LE(at);
  }
}

function checkDescriptor(text: string): void {
  const [descriptor = ''] = text.split('\0');
  const lines = descriptor.split(/\r?\n/).map((line) => line.trim());
  const valueOf = (name: string) =>
    lines.flatMap((line) => (line.startsWith(`${name}=`) ? [line.slice(name.length + 1).replaceAll('"', '')] : []));
  const types = valueOf('createType');
  if (types.length !== 1 || !inOneFile.has(types[0] ?? '')) throw new Unusable('its data are in other files');
  if (
    valueOf('parentCID').some((parent) => parent.toLowerCase() !== noParent) ||
    valueOf('parentFileNameHint').length > 0
  ) {
    throw new Unusable('it has a backing file');
  }
  const extents = lines.filter((line) => /^(?:RW|RDONLY|NOACCESS)\s/.test(line));
  if (extents.length !== 1 || !/^RW \d+ SPARSE "[^"/\\]+"$/.test(extents[0] ?? '')) {
    throw new Unusable('its data are in other files');
  }
}
