import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync } from 'node:fs';
import { mkdir, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import test, { type ExecutionContext } from 'ava';
import { isClaimed } from '../../../lib/devices/claim.ts';
import { deviceNumber } from '../../../lib/devices/sectors.ts';
import {
  type DeviceUsers,
  blockDeviceUsers,
  mountPoints,
  settledUsers,
  visibleUsers,
} from '../../../lib/devices/users.ts';
import { ChildProcesses } from '../../../lib/process.ts';
import { canHang, mountHanging } from '../../support/hanging-mount.ts';
import { until } from '../../support/until.ts';

test('mount points are found by device number, with blanks in their names', (t) => {
  const table = [
    String.raw`36 35 152:16 / /mnt/my\040volume rw,noatime shared:1 - ext4 /dev/etherd/e1.1 rw`,
    '37 35 152:32 / /mnt/other rw - ext4 /dev/etherd/e1.2 rw',
    '38 35 152:16 /sub /srv rw - ext4 /dev/etherd/e1.1 rw',
    '',
  ].join('\n');
  t.deepEqual(mountPoints(table, new Set(['152:16'])), ['/mnt/my volume', '/srv']);
  t.deepEqual(mountPoints(table, new Set(['152:99'])), []);
});

test('a mount of btrfs, whose device number is none of a device, is found by its source', (t) => {
  const table = String.raw`36 35 0:45 /@ /mnt/b rw shared:1 - btrfs /dev/etherd/e1.1 rw,subvol=/@
37 35 0:46 / /mnt/tmp rw master:2 propagate_from:1 - tmpfs tmpfs rw`;
  t.deepEqual(mountPoints(table, new Set(['152:16']), new Set(['/dev/etherd/e1.1'])), ['/mnt/b']);
  t.deepEqual(mountPoints(table, new Set(['152:16']), new Set(['/dev/etherd/e1.10', '0:45'])), []);
});

test('a device that does not exist has no users', async (t) => {
  t.deepEqual(await usersOfDevice('etherd!e65000.200'), { users: [], isLasting: false, unreadable: 0 });
});

const execute = promisify(execFile);
const canLoop = process.getuid?.() === 0 && existsSync('/dev/loop-control') && existsSync('/usr/sbin/losetup');
const withLoop = canLoop ? test : test.skip;

async function loopDevices(t: ExecutionContext) {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-loop-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  await writeFile(join(directory, 'disk image'), Buffer.alloc(2 ** 20));
  const loop = async (file: string) => {
    const device = (await execute('losetup', ['--find', '--show', file])).stdout.trim();
    t.teardown(() => execute('losetup', ['--detach', device]));
    // Another losetup that was given the same free device may still have it open.
    await until(async () => (await visibleUsers(basename(device))).users.length === 0, 'nobody else has it open');
    return device;
  };
  return { directory, loop };
}

withLoop('a loop device over a device is a user of it, which no process has open', async (t) => {
  const { directory, loop } = await loopDevices(t);
  const below = await loop(join(directory, 'disk image'));
  const above = await loop(below);
  t.deepEqual((await visibleUsers(basename(below))).users, [
    `backing file of ${above} (to release it: losetup --detach ${above})`,
  ]);
});

const withHanging = canLoop && canHang ? test : test.skip;
const patienceMs = 120_000;

/** Fails when the users of a device are not found in time: what waits for a dead file server does so for ever. */
async function usersInTime(device: string): Promise<string[]> {
  const late = setTimeout(patienceMs, undefined, { ref: false });
  const found = await Promise.race([visibleUsers(basename(device)), late]);
  if (found === undefined) throw new Error('the search for users hangs');
  return found.users;
}

withHanging('a loop device over a file on a dead file server keeps nobody waiting', async (t) => {
  const { directory, loop } = await loopDevices(t);
  await mkdir(join(directory, 'server/dev'), { recursive: true });
  await writeFile(join(directory, 'server/dev/image'), Buffer.alloc(2 ** 20));
  const device = await loop(join(directory, 'disk image'));
  await loop(join(directory, 'server/dev/image'));
  await mountHanging(t, join(directory, 'server'));
  t.deepEqual(await usersInTime(device), []);
});

withHanging('an open file on a dead file server keeps nobody waiting', async (t) => {
  const { directory, loop } = await loopDevices(t);
  const device = await loop(join(directory, 'disk image'));
  const served = join(directory, 'server');
  await mountHanging(t, served);
  const pathOnly = 0x20_0000; // O_PATH: the server is not asked
  const file = openSync(served, pathOnly);
  t.teardown(() => closeSync(file));
  t.deepEqual(await usersInTime(device), []);
});

/** Starts a shell that prints "ready" once it uses the device, and ends with the test. */
async function shell(t: ExecutionContext, command: string, args: readonly string[]): Promise<number> {
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.teardown(async () => {
    child.stdin.end();
    await once(child, 'exit');
  });
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

function usersOfDevice(kernelName: string): Promise<DeviceUsers> {
  return blockDeviceUsers(kernelName, (path) => isClaimed(new ChildProcesses(), path, {}));
}

/** Makes a further node of a device. */
async function nodeOf(device: string, node: string): Promise<void> {
  const [major = '', minor = ''] = deviceNumber((await stat(device)).rdev).split(':');
  await mkdir(dirname(node), { recursive: true });
  await execute('mknod', [node, 'b', major, minor]);
}

for (const name of ['dev/xvdc', 'disk', 'a place/x y']) {
  withLoop(`a process that has a device open as ${name}, as in a container, is a user of it`, async (t) => {
    const { directory, loop } = await loopDevices(t);
    const device = await loop(join(directory, 'disk image'));
    const node = join(directory, name);
    await nodeOf(device, node);
    const pid = await shell(t, 'sh', ['-c', 'exec 5<"$0"; echo ready; read line', node]);
    const opened = { users: [`open in sh, process ${pid}`] };
    t.like(await usersOfDevice(basename(device)), opened);
    await rm(node);
    t.like(await usersOfDevice(basename(device)), opened);
  });
}

withLoop('a loop device over a device by a node outside /dev is a user of it', async (t) => {
  const { directory, loop } = await loopDevices(t);
  const below = await loop(join(directory, 'disk image'));
  await nodeOf(below, join(directory, 'node'));
  const above = await loop(join(directory, 'node'));
  t.deepEqual((await visibleUsers(basename(below))).users, [
    `backing file of ${above} (to release it: losetup --detach ${above})`,
  ]);
});

withLoop('a process that closes a device in a moment, as udev does, is no user of it', async (t) => {
  const { directory, loop } = await loopDevices(t);
  const device = await loop(join(directory, 'disk image'));
  const file = openSync(device, 'r');
  const numbers: number[] = [];
  const { users } = await settledUsers(basename(device), async (name) => {
    const found = await visibleUsers(name);
    if (numbers.push(found.users.length) === 1) closeSync(file);
    return found;
  });
  t.deepEqual(users, []);
  t.is(numbers[0], 1);
});

withLoop('a mount in another mount namespace is found with the process that has it', async (t) => {
  const { directory, loop } = await loopDevices(t);
  const device = await loop(join(directory, 'disk image'));
  await execute('mke2fs', ['-q', device]);
  const script = `mount ${device} /mnt; echo ready; read line`;
  const pid = await shell(t, 'unshare', ['--mount', 'sh', '-c', script]);
  t.like(await usersOfDevice(basename(device)), {
    users: [
      `mounted on /mnt in the mount namespace of sh, process ${pid} (to release it: nsenter -t ${pid} -m umount /mnt)`,
    ],
  });
});

const disk = readdirSync('/sys/block').find((name) => /^(vd|sd|xvd|nvme|ubd|mmcblk)/.test(name)) ?? '';
const withDisk = process.getuid?.() === 0 && disk !== '' ? test : test.skip;

withDisk(
  'a device is taken for unused where open files of processes are not readable, and their number is reported',
  async (t) => {
    // Without the right to look into other processes, as root in a container.
    const script = `import { visibleUsers } from './lib/devices/users.ts';
    console.log(JSON.stringify(await visibleUsers(process.argv[1])));`;
    const node = [process.execPath, '--input-type=module-typescript', '-e', script, disk];
    const confined = ['--bounding-set=-all', '--inh-caps=-all', '--reuid=65534', '--regid=65534', '--clear-groups'];
    const { stdout } = await execute('setpriv', [...confined, ...node]);
    const { users, unreadable }: { users: string[]; unreadable: number } = JSON.parse(stdout);
    t.true(unreadable > 0);
    t.deepEqual(
      users.filter((user) => user.startsWith('open in')),
      [],
    );
  },
);
