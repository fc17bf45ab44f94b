import { randomUUID } from 'node:crypto';
import { mkdir, mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { BlockstoreError } from '../../../lib/blockstore-error.ts';
import { CommandError } from '../../../lib/command-error.ts';
import { RbdConnector } from '../../../lib/connectors/rbd.ts';
import { ChildProcesses, type RunResult } from '../../../lib/process.ts';
import { endpointText } from '../../../lib/rbd/connection.ts';
import { Cut, survivesKills } from './cut.ts';

/**
 * A fake rbd, which maps images in a directory like /sys, for faults: the kernel's own is tested on a lab machine
 * (test/lab/rbd.test.ts).
 */
class FakeKernel extends ChildProcesses {
  readonly calls: string[] = [];
  /** What the next run of a command that has this word prints on standard error, with its exit code. */
  readonly failures = new Map<string, readonly [number | 'missing', string]>();
  /** Of the images that it maps. */
  fsid: string;
  bytes = 64 * 2 ** 20;
  readonly cut = new Cut();
  readonly connector: RbdConnector;
  private readonly directory: string;
  private mapped = 0;

  constructor(directory: string, fsid: string) {
    super();
    this.directory = directory;
    this.fsid = fsid;
    const places = {
      system: join(directory, 'sys'),
      devices: join(directory, 'dev'),
      udev: join(directory, 'no-udev'),
    };
    this.connector = new RbdConnector({ processes: this, places });
  }

  async loadModule(): Promise<void> {
    await mkdir(join(this.directory, 'sys/bus/rbd/devices'), { recursive: true });
    await mkdir(join(this.directory, 'dev'), { recursive: true });
  }

  override run(command: string, args: readonly string[]): Promise<RunResult> {
    return this.cut.run(() => this.execute(command, args));
  }

  private async execute(command: string, args: readonly string[]): Promise<RunResult> {
    const words = [command, ...args];
    this.calls.push(words.join(' '));
    for (const [word, [exit, stderr]] of this.failures) {
      if (words.includes(word)) throw failure(words.join(' '), exit, stderr);
    }
    if (words.includes('map')) await this.map(words.find((word) => word.includes('/')) ?? '');
    if (words.includes('unmap')) await this.unmap(words.at(-1) ?? '');
    return { stdout: '', stderr: '' };
  }

  async map(name: string): Promise<void> {
    const [pool = '', image = ''] = name.split('/');
    const number = this.mapped++;
    const directory = join(this.directory, 'sys/bus/rbd/devices', String(number));
    const values = { pool, name: image, current_snap: '-', cluster_fsid: this.fsid, size: this.bytes };
    await mkdir(directory);
    for (const [file, value] of Object.entries(values)) await writeFile(join(directory, file), `${value}\n`);
    await writeFile(join(this.directory, `dev/rbd${number}`), '');
  }

  async reboot(): Promise<void> {
    await rm(join(this.directory, 'sys'), { recursive: true });
    await rm(join(this.directory, 'dev'), { recursive: true });
    this.mapped = 0;
    await this.loadModule();
  }

  private async unmap(path: string): Promise<void> {
    await rm(join(this.directory, 'sys/bus/rbd/devices', path.replace(/.*rbd/, '')), { recursive: true });
  }
}

function failure(command: string, exit: number | 'missing', stderr: string): Error {
  return new CommandError({
    command,
    exitCode: exit === 'missing' ? undefined : exit,
    signal: undefined,
    timedOut: false,
    cancelled: false,
    notFound: exit === 'missing',
    stdout: '',
    stderr,
  });
}

async function placeFor(t: ExecutionContext, { hasModule = true } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-rbd-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  const fsid = randomUUID();
  const kernel = new FakeKernel(directory, fsid);
  if (hasModule) await kernel.loadModule();
  const id = randomUUID();
  const addresses = [
    { host: '192.0.2.1', port: '6789' },
    { host: '[fd00::1]', port: '6789' },
  ];
  const endpoint = endpointText({ user: 'hosts', secretUuid: '' }, { fsid, protocol: 'v1', addresses });
  const options = { id, endpoint, sizeBytes: 64 * 2 ** 20, timeoutMs: 200 };
  const address = `rbd:volumes/volume-${id}`;
  return { kernel, connector: kernel.connector, id, address, options, directory, fsid, addresses };
}

test('fake rbd: an image is mapped once, as the user of the node, and unmapped', async (t) => {
  const { kernel, connector, address, options, directory, id } = await placeFor(t);
  t.deepEqual(await connector.connect(address, options), { devicePath: `${directory}/dev/rbd0` }, 'no udev');
  t.true(await connector.isOnHost(address));
  const map =
    'rbd --id hosts --mon-host 192.0.2.1:6789,[fd00::1]:6789 --client-mount-timeout 15 device map ' +
    `volumes/volume-${id} --options noshare,mount_timeout=15,noudev`;
  t.true(kernel.calls.includes(map), kernel.calls.join('\n'));
  await connector.connect(address, { ...options, mayBeInUse: true });
  t.is(kernel.calls.filter((call) => call === map).length, 1);
  await connector.disconnect(address);
  t.true(kernel.calls.includes(`rbd device unmap --options noudev ${directory}/dev/rbd0`));
  t.false(await connector.isOnHost(address));
  await connector.disconnect(address);
  t.is(connector.devicePath(address), `${directory}/dev/rbd/volumes/volume-${id}`);
});

test('fake rbd: after a reboot an attached volume is mapped again, once', async (t) => {
  const { connector, kernel, address, options, directory } = await placeFor(t);
  await connector.connect(address, options);
  await kernel.reboot();
  t.false(await connector.isOnHost(address));
  for (const device of ['first', 'repeated']) {
    const connected = await connector.connect(address, { ...options, mayBeInUse: true });
    t.deepEqual(connected, { devicePath: `${directory}/dev/rbd0` }, device);
  }
  await connector.disconnect(address);
  t.false(await connector.isOnHost(address));
});

test('fake rbd: the kernel is given protocol 2 where a monitor does not have the first', async (t) => {
  const { kernel, connector, address, options, fsid, addresses } = await placeFor(t);
  const endpoint = endpointText({ user: 'hosts', secretUuid: '' }, { fsid, protocol: 'v2', addresses });
  await connector.connect(address, { ...options, endpoint });
  const map = kernel.calls.find((call) => call.includes(' device map ')) ?? '';
  t.regex(map, / --mon-host v2:192\.0\.2\.1:6789,v2:\[fd00::1\]:6789 /);
  t.regex(map, /,ms_mode=prefer-crc$/);
});

test('fake rbd: what an interrupted attachment, or somebody, has mapped is unmapped, of other images nothing', async (t) => {
  const { kernel, connector, address, options, id } = await placeFor(t);
  await kernel.map(`volumes/volume-${id}`);
  await kernel.map(`volumes/volume-${id}`);
  await kernel.map(`others/volume-${id}`);
  await connector.connect(address, options);
  await connector.disconnect(address);
  t.false(await connector.isOnHost(address));
  t.true(await connector.isOnHost(`rbd:others/volume-${id}`));
});

test('fake rbd: a kernel without rbd is found before anything starts, and guests are advised', async (t) => {
  const { kernel, connector, id } = await placeFor(t, { hasModule: false });
  kernel.failures.set('modprobe', [1, 'modprobe: FATAL: Module rbd not found in directory /lib/modules/6.1.0\n']);
  const error = await t.throwsAsync(connector.requireDevices(id), { code: 'ConnectorFailed' });
  t.regex(error.message, /the kernel module rbd cannot be loaded: modprobe: FATAL: Module rbd not found/);
  const hint = error instanceof BlockstoreError ? (error.hint ?? '') : '';
  t.regex(hint, /CONFIG_BLK_DEV_RBD .*; for a guest of this host: --domain$/);
  kernel.failures.clear();
  kernel.failures.set('rbd', ['missing', '']);
  kernel.failures.delete('modprobe');
  await kernel.loadModule();
  await t.throwsAsync(connector.requireDevices(id), { code: 'CommandNotFound', message: /rbd/ });
});

test('fake rbd: the image of another cluster, or of another size, is not the volume, and nothing is left', async (t) => {
  const { kernel, connector, address, options } = await placeFor(t);
  const own = kernel.fsid;
  kernel.fsid = randomUUID();
  await t.throwsAsync(connector.connect(address, options), {
    code: 'ConnectorFailed',
    message: new RegExp(`is of the Ceph cluster ${kernel.fsid}, the volume of ${own}$`),
  });
  t.false(await connector.isOnHost(address));
  kernel.fsid = own;
  kernel.bytes = 2 ** 20;
  await t.throwsAsync(connector.connect(address, options), { message: /its image has 1048576 bytes/ });
  t.false(await connector.isOnHost(address));
});

test('fake rbd: a failed map names the cause', async (t) => {
  const { kernel, connector, address, options } = await placeFor(t);
  const places = '/etc/ceph/ceph.client.hosts.keyring,/etc/ceph/keyring';
  kernel.failures.set('map', [
    1,
    `2026 -1 AuthRegistry(0x1) no keyring found at ${places},, disabling cephx\nrbd: x\n`,
  ]);
  await t.throwsAsync(connector.connect(address, options), {
    message: /: no keyring of the Ceph user client\.hosts is found at \/etc\/ceph\/ceph\.client\.hosts\.keyring,/,
  });
  kernel.failures.set('map', [
    6,
    'rbd: sysfs write failed\nRBD image feature set mismatch\nrbd: map failed: (6) No such\n',
  ]);
  await t.throwsAsync(connector.connect(address, options), { message: /: map failed: \(6\) No such$/ });
  t.false(await connector.isOnHost(address));
  kernel.failures.clear();
  await t.throwsAsync(connector.connect(address, { ...options, endpoint: '' }), { message: /has not reported/ });
});

test('fake rbd: a device that the kernel does not release stays, and is released by the next detach', async (t) => {
  const { kernel, connector, address, options, directory } = await placeFor(t);
  await connector.connect(address, options);
  kernel.failures.set('unmap', [16, 'rbd: sysfs write failed\nrbd: unmap failed: (16) Device or resource busy\n']);
  await t.throwsAsync(connector.disconnect(address), {
    code: 'DeviceInUse',
    message: `${directory}/dev/rbd0 is in use on this host: the kernel, which does not release it`,
  });
  kernel.failures.clear();
  await connector.disconnect(address);
  t.false(await connector.isOnHost(address));
});

test('fake rbd: a program that is killed at any command leaves what the next one completes or removes', async (t) => {
  const { kernel, connector, address, options, directory } = await placeFor(t);
  const count = async () => (await readdir(join(directory, 'sys/bus/rbd/devices'))).length;
  await survivesKills(t, { cut: kernel.cut, connector, address, options, count });
});

test('fake rbd: an image that grows is larger at once', async (t) => {
  const { kernel, connector, address, options, directory } = await placeFor(t);
  await t.throwsAsync(connector.revalidate(address), { message: /it is not connected/ });
  await connector.connect(address, options);
  await t.throwsAsync(connector.revalidate(address, { sizeBytes: 2 ** 30, timeoutMs: 100 }), {
    message: /it has 67108864 bytes instead of 1073741824/,
  });
  await writeFile(join(directory, 'sys/bus/rbd/devices/0/size'), `${2 ** 30}\n`);
  t.is(await connector.revalidate(address, { sizeBytes: 2 ** 30 }), 2 ** 30);
  t.is(kernel.calls.filter((call) => call.includes('device map')).length, 1);
});
