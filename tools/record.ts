/**
 * `node tools/record.ts`: runs the first steps of a user on lab machines and writes commands and output to README.md,
 * between its two "recording" comments. Needs root and the lab's packages.
 */
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { StorageCluster } from '../test/lab/storage-cluster.ts';

const readme = path.resolve(import.meta.dirname, '..', 'README.md');
const device = '/dev/etherd/e1.0';

/** Number of the machine, and the command. node1 stores the volumes, node2 and node3 use them. */
const commands: readonly [number, string][] = [
  [2, 'blockstore node list'],
  [2, 'blockstore volume create 1 --name data'],
  [2, 'blockstore volume attach data --host-device'],
  [2, `mkfs.ext4 -q ${device} && mount ${device} /mnt`],
  [2, 'echo "written on node2" >/mnt/note'],
  [2, 'umount /mnt'],
  [2, 'blockstore volume detach data'],
  [3, 'blockstore volume attach data --host-device'],
  [3, `mount ${device} /mnt && cat /mnt/note`],
  [3, 'blockstore volume list'],
  [3, 'blockstore volume delete data; echo "exit code $?"'],
];

/** Returns the recording. Throws when a command fails. */
async function record(): Promise<string> {
  const cluster = await StorageCluster.create({ nodes: 3, storageNodes: 1 });
  try {
    const lines: string[] = [];
    for (const [number, command] of commands) {
      const setting = 'export BLOCKSTORE_CONFIG=/etc/blockstore/blockstore.conf';
      const output = await cluster.node(number).sh(`${setting}; ${command}`);
      lines.push(`node${number}# ${command}`, ...(output === '' ? [] : [output]));
    }
    return lines.join('\n');
  } finally {
    await cluster.close();
  }
}

async function main(): Promise<void> {
  const before = await readFile(readme, 'utf8');
  const place = /(?<=<!-- recording:[^>]*-->\n).*(?=<!-- end of the recording -->)/s;
  if (!place.test(before)) throw new Error(`${readme} has no place for the recording`);
  const recording = await record();
  await writeFile(
    readme,
    before.replace(place, () => `\`\`\`console\n${recording}\n\`\`\`\n`),
  );
  console.log(recording);
}

await main();
