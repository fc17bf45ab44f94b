import { sectorBytes } from '../../devices/sectors.ts';
import { errors } from '../../errors.ts';
import { absentAs } from '../../files.ts';
import type { ExportSpec } from '../target.ts';
import type { Durability } from './arguments.ts';

/**
 * AoE's sectors have 512 bytes. Past the page cache a disk with larger ones refuses them: hosts would see a device on which
 * every read fails. Throws ExportFailed.
 */
export async function checkSectors(
  { id, path }: Pick<ExportSpec, 'id' | 'path'>,
  durability: Durability,
): Promise<void> {
  if (durability === 'cached') return;
  const bytes = await absentAs(512, sectorBytes(path));
  if (bytes <= 512) return;
  const reason = `its disk has sectors of ${bytes} bytes, which AoE serves only with aoe_durability = cached`;
  throw errors.exportFailed(id, reason);
}
