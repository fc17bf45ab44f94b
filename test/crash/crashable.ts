import { join } from 'node:path';
import { bundled } from '../support/bundle.ts';

/** Returns the path of the daemon as it is shipped, which counts its effects and ends where a plan says: see doors.ts. */
export async function crashable(): Promise<string> {
  return join(await bundled('test/crash/doors.ts'), 'bin', 'blockstored');
}
