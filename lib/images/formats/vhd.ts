import { type ImageBytes, Unusable, maxReadBytes, safe } from '../image-bytes.ts';

/** Microsoft's VHD (in QEMU: vpc), after its specification of 2006. Numbers are big-endian. */

const sectorBytes = 512;
const cookie = 'conectix';
const fixed = 2;
const dynamic = 3;
const differencing = 4;
const largestGeometry = 65535 * 16 * 255;
const exactPrograms = new Set(['win ', 'qem2', 'd2v ', 'tap\0', 'vs  ', 'wa\0\0']);
const unusedBlock = 0xffffffff;

/** Returns the virtual size in bytes. Throws Unusable. */
export async function vhdSize(image: ImageBytes): Promise<number> {
  const footer = await image.read(image.sizeBytes - sectorBytes, sectorBytes);
  if (footer.toString('latin1', 0, 8) !== cookie) {
    const isOne = (await image.read(0, 8)).toString('latin1') === cookie;
    throw new Unusable(isOne ? 'it is truncated' : 'it is no VHD');
  }
  const type = footer.readUInt32BE(0x3c);
  if (type === differencing) throw new Unusable('it has a backing file');
  const currentBytes = safe(footer.readBigUInt64BE(0x30), 'its virtual size');
  const sizeBytes = Math.max(currentBytes, geometryBytes(footer));
  if (type === fixed) {
    if (image.sizeBytes - sectorBytes < currentBytes) throw new Unusable('it is truncated');
    return sizeBytes;
  }
  if (type !== dynamic) throw new Unusable(`it is a VHD of type ${type}`);
  // QEMU reads the copy of the footer at the beginning.
  if (!(await image.read(0, sectorBytes)).equals(footer)) throw new Unusable('its two footers differ');
  await checkBlocks(image, safe(footer.readBigUInt64BE(0x10), 'the offset of its header'));
  return sizeBytes;
}

/** QEMU takes the geometry, rounded in another way, unless it is the largest one or of a program that keeps to the other figure. */
function geometryBytes(footer: Buffer): number {
  const sectors = footer.readUInt16BE(0x38) * footer.readUInt8(0x3a) * footer.readUInt8(0x3b);
  return sectors === largestGeometry || exactPrograms.has(footer.toString('latin1', 0x1c, 0x20))
    ? 0
    : sectors * sectorBytes;
}

async function checkBlocks(image: ImageBytes, offset: number): Promise<void> {
  const header = await image.read(offset, 1024);
  if (header.toString('latin1', 0, 8) !== 'cxsparse') throw new Unusable('it has no header of a dynamic disk');
  const table = safe(header.readBigUInt64BE(0x10), 'the offset of its table');
  const entries = header.readUInt32BE(0x1c);
  const blockBytes = header.readUInt32BE(0x20);
  for (let first = 0; first < entries; first += maxReadBytes / 4) {
    const part = await image.read(table + first * 4, Math.min(maxReadBytes / 4, entries - first) * 4);
    for (let at = 0; at < part.length; at += 4) {
      const sector = part.readUInt32BE(at);
      if (sector !== unusedBlock && sector * sectorBytes + blockBytes > image.sizeBytes)
        throw new Unusable('it is truncated');
    }
  }
}
