import { mkdir, rm } from 'node:fs/promises';
import { execa } from 'execa';
import type { LabNode } from '../lab/node.ts';
import { type StoreFiles, pair, storeFlags } from './copies.ts';

/** Where a machine has the volumes of its second backend, and the stores. */
export const other = '/var/lib/crash-other';
export const stores = '/var/lib/crash-stores';

/** A second backend of the driver file, and stores. */
export const pairFlags = {
  enabled_backends: `${pair.first},${pair.other}`,
  [`${pair.first}.volume_driver`]: 'lvm',
  [`${pair.other}.volume_driver`]: 'file',
  [`${pair.other}.volume_target`]: 'none',
  [`${pair.other}.volume_pool_dir`]: other,
  ...storeFlags(stores),
};

/** The stores of a machine. Their copy on this one is in `directory`. */
export function machineStores(
  { machine, group, stateDir }: { machine: LabNode; group: string; stateDir: string },
  directory: string,
): StoreFiles {
  const unpack = `base64 -d | tar -xz -C`;
  return {
    directory,
    clear: async () => {
      await rm(directory, { recursive: true, force: true });
      await machine.sh(`rm -rf ${stores} ${stateDir}/image-cache`);
    },
    put: async () => {
      const { stdout } = await execa('tar', ['-cz', '-C', directory, '.'], { encoding: 'buffer' });
      await machine.sh(`mkdir -p ${stores} && echo ${Buffer.from(stdout).toString('base64')} | ${unpack} ${stores}`);
    },
    get: async () => {
      const descriptions = `find . -name '*.json' | tar -cz -T - | base64 -w 0`;
      const packed = await machine.sh(`mkdir -p ${stores} && cd ${stores} && ${descriptions}`);
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory);
      await execa('tar', ['-xz', '-C', directory], { input: Buffer.from(packed, 'base64') });
    },
    write: async (volume, data, offset) => {
      const to = `dd of=/dev/${group}/volume-${volume} seek=${offset} oflag=seek_bytes conv=notrunc,fsync status=none`;
      await machine.sh(`echo ${data.toString('base64')} | base64 -d | ${to}`);
    },
    beginnings: async () => {
      const found = await machine.sh(`for file in /dev/${group}/volume-* ${other}/volume-*
do case $file in *'*'|*.*) continue; esac
echo "data $(head -c 65536 $file | sha256sum | cut -d ' ' -f 1) of \${file##*/}"
done`);
      return found.split('\n').filter((line) => line !== '');
    },
  };
}
