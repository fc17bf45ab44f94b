/** `npm run sample-config`: writes etc/blockstore.conf from the flags. */
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sampleConfig } from '../lib/flags/print.ts';

const header = `# Configuration of blockstored and blockstore; see blockstore.conf(5). Every flag is listed, commented out, with its default.
# A value can be quoted; an empty value counts as not set. A comment needs its own line.
# A flag can also be set in the environment (BLOCKSTORE_REDIS_HOST=…) and on the command line (--redis-host=…).
# The command line overrides the environment, which overrides this file.
# To print the effective values and their sources: blockstored --print-config
# To apply a change: systemctl restart blockstored (exports continue meanwhile)

`;

const footer = `
## Several backends
#
# With enabled_backends each backend has a section at the end of the file. Flags that a section omits have the values above.
# A backend's flag on the command line: --fast.volume_group=…, in the environment: BLOCKSTORE_FAST__VOLUME_GROUP=….
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
