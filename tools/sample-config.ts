/** `npm run sample-config`: writes etc/blockstore.conf anew from the flags. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sampleConfig } from '../lib/flags/print.ts';

const header = `# Configuration of blockstored. Every flag is here, commented out, with its default.
# A value may be in quotes; an empty one is none. A comment has a line of its own.
# The same names work on the command line (--redis-host=…) and in the environment (BLOCKSTORE_REDIS_HOST=…);
# the command line wins over the environment, and that over this file.
# What a daemon would really run with, and where each value comes from: blockstored --print-config
# A change takes effect with: systemctl restart blockstored (exports go on meanwhile)

`;

const footer = `
## Several backends
#
# With enabled_backends each backend has a section at the end of the file. What a section leaves open is as above it.
# On the command line --fast.volume_group=…, in the environment BLOCKSTORE_FAST__VOLUME_GROUP=….
#
#   enabled_backends = fast, slow
#
#   [fast]
#   volume_group = nvme
#
#   [slow]
#   volume_group = disks
#   aoe_durability = direct
`;

export const sampleFile = path.resolve(import.meta.dirname, '..', 'etc', 'blockstore.conf');

export function sample(): string {
  return header + sampleConfig() + footer;
}

if (import.meta.main) await writeFile(sampleFile, sample());
