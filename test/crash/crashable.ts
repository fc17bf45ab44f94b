import { join } from 'node:path';
import { bundled } from '../support/bundle.ts';

/** Returns the path of the bundled daemon that counts its effects and dies where a plan says: see io-boundaries.ts. */
export async function crashable(): Promise<string> {
  return join(await bundled('test/crash/io-boundaries.ts'), 'bin', 'blockstored');
}
