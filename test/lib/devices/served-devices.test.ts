import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { targetsOver } from '../../../lib/devices/served-devices.ts';

test('what the kernel serves to other hosts from a device is a use of it, while it is enabled', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-targets-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const find = () => targetsOver(new Set(['/dev/etherd/e1.1', '/dev/etherd/e1.1p1']), new Set(), directory);
  t.deepEqual(await find(), [], 'neither is loaded');

  const write = async (path: string, values: Record<string, string>) => {
    await mkdir(join(directory, path), { recursive: true });
    for (const [name, value] of Object.entries(values)) await writeFile(join(directory, path, name), `${value}\n`);
  };
  const namespace = 'nvmet/subsystems/nqn.2026-01.org.example:one/namespaces/1';
  await write(namespace, { device_path: '/dev/etherd/e1.1', enable: '1' });
  await write('nvmet/subsystems/two/namespaces/1', { device_path: '/dev/etherd/e1.10', enable: '1' });
  await write('nvmet/subsystems/two/namespaces/2', { device_path: '/dev/etherd/e1.1', enable: '0' });
  await mkdir(join(directory, 'nvmet/subsystems/two/allowed_hosts'));
  await symlink('/', join(directory, 'nvmet/subsystems/two/allowed_hosts/h'));
  await mkdir(join(directory, 'target/core/alua/lu_gps'), { recursive: true });
  await write('target/core/fileio_0/data', { udev_path: '/dev/etherd/e1.1p1', enable: '1' });
  await write('target/core/iblock_1/logs', { udev_path: '/dev/etherd/e1.1', enable: '1' });
  t.deepEqual((await find()).toSorted(), [
    'served by LIO (to release it: targetcli /backstores/block delete logs)',
    'served by LIO (to release it: targetcli /backstores/fileio delete data)',
    `served by NVMe (to release it: echo 0 >${join(directory, namespace)}/enable)`,
  ]);
});
