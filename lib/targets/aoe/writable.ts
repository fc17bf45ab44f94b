import { isReadOnlyDevice } from '../../devices/read-only.ts';
import { errors } from '../../errors.ts';
import { absentAs } from '../../files.ts';
import type { ExportSpec } from '../target.ts';

/**
 * The kernel lets vblade open a read-only device for writing, and refuses each write: hosts would lose what they had
 * buffered. Throws ExportFailed.
 */
export async function checkWritable({
  id,
  path,
  readOnly,
}: Pick<ExportSpec, 'id' | 'path' | 'readOnly'>): Promise<void> {
  if (readOnly || !(await absentAs(false, isReadOnlyDevice(path)))) return;
  throw errors.exportFailed(
    id,
    `its device ${path} is read-only`,
    'attach it with --mode ro, or make it writable: lvchange --permission rw GROUP/VOLUME, see "lvs -o +lv_permissions"',
  );
}
