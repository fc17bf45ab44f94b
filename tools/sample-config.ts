/** `npm run sample-config`: writes etc/blockstore.conf anew from the flags. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sampleConfig } from '../lib/flags/print.ts';

const header = `# Configuration of blockstored. Every flag is here, commented out, with its default.
# The same names work on the command line (--redis-host=…) and in the environment (BLOCKSTORE_REDIS_HOST=…);
# the command line wins over the environment, and that over this file.
# What a daemon would really run with, and where each value comes from: blockstored --print-config
# A change takes effect with: systemctl restart blockstored (exports go on meanwhile)

`;

export const sampleFile = path.resolve(import.meta.dirname, '..', 'etc', 'blockstore.conf');

export function sample(): string {
  return header + sampleConfig();
}

if (import.meta.main) await writeFile(sampleFile, sample());
