import { type ImageBytes, Unusable, safe } from '../image-bytes.ts';

/** VirtualBox's VDI. Numbers are little-endian. */

const signature = 0xbeda107f;
const version = 0x00010001;
const dynamic = 1;
const fixed = 2;
const blockBytes = 2 ** 20;

/** Returns the virtual size in bytes. Throws Unusable. */
export async function vdiSize(image: ImageBytes): Promise<number> {
  const header = await image.read(0, 0x200);
  if (header.readUInt32LE(0x40) !== signature) throw new Unusable('it is no VDI');
  if (header.readUInt32LE(0x44) !== version) throw new Unusable('it is a VDI of another version than 1.1');
  const type = header.readUInt32LE(0x4c);
  const parents = header.subarray(0x1a8, 0x1c8);
  if (parents.some((byte) => byte !== 0)) throw new Unusable('it has a backing file');
  if (type !== dynamic && type !== fixed) throw new Unusable(`it is a VDI of type ${type}`);
  const sizeBytes = safe(header.readBigUInt64LE(0x170), 'its virtual size');
  const allocated = header.readUInt32LE(0x184);
  if (header.readUInt32LE(0x178) !== blockBytes) throw new Unusable('its blocks have another size than 1 MiB');
  if (allocated > header.readUInt32LE(0x180)) throw new Unusable('it has more blocks than its size');
  if (header.readUInt32LE(0x158) + allocated * blockBytes > image.sizeBytes) throw new Unusable('it is truncated');
  return sizeBytes;
}
