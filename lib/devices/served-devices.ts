import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { absentAs, readAttribute } from '../files.ts';
import { isAmong } from './loops.ts';

const configuration = '/sys/kernel/config';

/**
 * Returns what this host itself serves from devices with these paths or "major:minor" numbers: NVMe namespaces and LIO backstores, each
 * with what releases it. The kernel holds their devices open, and not all of them exclusively.
 */
export async function targetsOver(
  paths: ReadonlySet<string>,
  numbers: ReadonlySet<string>,
  directory = configuration,
): Promise<string[]> {
  const namespaces = await below(await below([join(directory, 'nvmet/subsystems')]), 'namespaces');
  const backstores = await below(await below([join(directory, 'target/core')]));
  const served = async (candidate: string, file: string) =>
    (await readAttribute(join(candidate, 'enable')))?.trim() === '1' &&
    isAmong((await readAttribute(join(candidate, file)))?.trim() ?? '', paths, numbers);
  const found: string[] = [];
  for (const one of namespaces) {
    if (await served(one, 'device_path')) found.push(`served by NVMe (to release it: echo 0 >${one}/enable)`);
  }
  for (const one of backstores) {
    if (!(await served(one, 'udev_path'))) continue;
    const [plugin = '', name = ''] = one.split('/').slice(-2);
    const kind = plugin.replace(/_\d+$/, '').replace('iblock', 'block');
    found.push(`served by LIO (to release it: targetcli /backstores/${kind} delete ${name})`);
  }
  return found;
}

async function below(directories: readonly string[], part = ''): Promise<string[]> {
  const parents = directories.map((directory) => join(directory, part));
  const lists = parents.map(async (parent) =>
    (await absentAs([], readdir(parent, { withFileTypes: true })))
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => join(parent, name)),
  );
  return (await Promise.all(lists)).flat();
}
