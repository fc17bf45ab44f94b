import { randomUUID } from 'node:crypto';
import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { onConnector, runScript } from './script.ts';

let lab: Lab;
let storage: LabNode;
let host: LabNode;
let stranger: LabNode;

const stateDir = '/var/lib/blockstore';

test.before(async () => {
  lab = await Lab.create({ nodes: 3 });
  storage = lab.node(1);
  host = lab.node(2);
  stranger = lab.node(3);
  await storage.sh('vgcreate -y vg /dev/ubda');
});

test.after.always(async () => {
  await lab?.close();
});

interface Volume {
  id: string;
  path: string;
  address: string;
  readOnly: boolean;
  hosts: string[];
}

async function makeVolume(slot: number, change: Partial<Volume> = {}): Promise<Volume> {
  await storage.sh(`lvcreate -y -L 64M -n v${slot} vg`);
  return { id: randomUUID(), path: `/dev/vg/v${slot}`, address: `e7.${slot}`, readOnly: false, hosts: [], ...change };
}

async function onTarget(body: string): Promise<string> {
  const options = { interface: 'vec0', durability: 'sync', stateDir, numShellTries: 1, unfiltered: false };
  return runScript(
    storage,
    `import { AoeTarget } from './lib/targets/aoe/target.ts';
    const target = new AoeTarget(${JSON.stringify(options)}, context);`,
    `await target.setup(); try { ${body} } finally { await target.close(); }`,
  );
}

async function exportVolume(volume: Volume): Promise<void> {
  const answer = await onTarget(`await target.ensureExport(${JSON.stringify(volume)});`);
  if (answer !== '') throw new Error(answer);
}

function onVolume(node: LabNode, verb: string, volume: Volume, options = '{}'): Promise<string> {
  return onConnector(node, verb, `'${volume.address}'`, options);
}

/** Returns the identity of the kernel's device for e7.1, '' for none. The kernel rediscovers it once a minute as another one. */
async function kernelDevice(): Promise<string> {
  return (await host.run("stat -c %i '/sys/block/etherd!e7.1' 2>/dev/null")).output.trim();
}

test.serial('a volume becomes a device of another host with its data, and is disconnected again', async (t) => {
  const volume = await makeVolume(1);
  await exportVolume(volume);
  t.is(await onVolume(host, 'connect', volume), '{"devicePath":"/dev/etherd/e7.1"}');
  await host.sh('printf persistent | dd of=/dev/etherd/e7.1 oflag=sync conv=notrunc 2>/dev/null');
  const device = await kernelDevice();
  t.not(device, '');
  t.is(await onVolume(host, 'disconnect', volume), '');
  t.not(await kernelDevice(), device);
  t.is(await onVolume(host, 'disconnect', volume), '');
  t.is(await onVolume(stranger, 'connect', volume), '{"devicePath":"/dev/etherd/e7.1"}');
  t.is(await stranger.sh('head -c 10 /dev/etherd/e7.1'), 'persistent');
  t.is(await onVolume(stranger, 'disconnect', volume), '');
});

test.serial('a device in use is not disconnected, and the error names its user', async (t) => {
  const volume = await makeVolume(2);
  await exportVolume(volume);
  await onVolume(host, 'connect', volume);
  await host.sh('mkfs.ext4 -q /dev/etherd/e7.2 && mkdir -p /mnt/two && mount /dev/etherd/e7.2 /mnt/two');
  t.is(
    await onVolume(host, 'disconnect', volume),
    'DeviceInUse: /dev/etherd/e7.2 is in use on this host: mounted on /mnt/two',
  );
  await host.sh('echo still >/mnt/two/there && sync && umount /mnt/two');
  const reader = await host.start('reader', 'exec sleep 1000 </dev/etherd/e7.2');
  await until(reader.running.bind(reader), 'a process has the device open');
  t.regex(await onVolume(host, 'disconnect', volume), /^DeviceInUse: .*: open in sleep, process \d+$/);
  await reader.stop();
  await host.start('elsewhere', 'exec unshare --mount sh -c "mount /dev/etherd/e7.2 /mnt/two && exec sleep 1000"');
  await until(async () => (await host.run('grep -l " /mnt/two " /proc/[0-9]*/mounts')).status === 0, 'a hidden mount');
  t.regex(
    await onVolume(host, 'disconnect', volume),
    /^DeviceInUse: .*: mounted on \/mnt\/two in the mount namespace of \w+, process \d+ /,
  );
  await host.sh('kill $(pgrep -x sleep)');
  await until(async () => (await onVolume(host, 'disconnect', volume)) === '', 'the device is free');
});

test.serial('a read-only export refuses writes', async (t) => {
  const volume = await makeVolume(3, { readOnly: true });
  await exportVolume(volume);
  await onVolume(host, 'connect', volume);
  t.is((await host.run('dd if=/dev/etherd/e7.3 of=/dev/null bs=4k count=1 iflag=direct')).status, 0);
  t.not((await host.run('dd if=/dev/zero of=/dev/etherd/e7.3 bs=4k count=1 oflag=direct')).status, 0);
  await onVolume(host, 'disconnect', volume);
});

test.serial('only the hosts in the list of Ethernet addresses see an export', async (t) => {
  const hosts = [await host.sh('cat /sys/class/net/vec0/address')];
  const volume = await makeVolume(4, { hosts });
  await exportVolume(volume);
  t.is(await onVolume(host, 'connect', volume), '{"devicePath":"/dev/etherd/e7.4"}');
  t.is(
    await onVolume(stranger, 'connect', volume, '{ timeoutMs: 2000 }'),
    'ConnectorFailed: could not connect volume e7.4 to this host: no target answers on that address',
  );
  await onVolume(host, 'disconnect', volume);
});

test.serial('the new size of a grown volume is visible while it is mounted', async (t) => {
  const volume = await makeVolume(5);
  await exportVolume(volume);
  await onVolume(host, 'connect', volume);
  await host.sh('mkfs.ext4 -q /dev/etherd/e7.5 && mkdir -p /mnt/five && mount /dev/etherd/e7.5 /mnt/five');
  await storage.sh('lvextend -L 128M vg/v5');
  t.regex(
    await onVolume(host, 'revalidate', volume, `{ sizeBytes: ${128 * 2 ** 20}, timeoutMs: 500 }`),
    /^ConnectorFailed: .*it has 67108864 bytes instead of 134217728$/,
  );
  t.is(await onTarget(`await target.resizeExport(${JSON.stringify(volume)});`), '');
  t.is(await onVolume(host, 'revalidate', volume, `{ sizeBytes: ${128 * 2 ** 20} }`), String(128 * 2 ** 20));
  await host.sh('resize2fs /dev/etherd/e7.5 && umount /mnt/five');
  t.is(await onVolume(host, 'disconnect', volume), '');
});

test.serial('an address without an export is reported as not answering', async (t) => {
  const nowhere = { id: randomUUID(), path: '', address: 'e99.9', readOnly: false, hosts: [] };
  t.is(
    await onVolume(host, 'connect', nowhere, '{ timeoutMs: 1000 }'),
    'ConnectorFailed: could not connect volume e99.9 to this host: no target answers on that address',
  );
});

test.serial('exports are visible to other nodes, and removed ones disappear at once', async (t) => {
  const volume = await makeVolume(6);
  await exportVolume(volume);
  const seen = await runScript(
    host,
    `import { Discovery } from './lib/targets/aoe/discover.ts';`,
    `const discovery = new Discovery(context.processes, { interface: 'vec0' });
    try { return await discovery.shelves([7]); } finally { await discovery.close(); }`,
  );
  const mac = await storage.sh('cat /sys/class/net/vec0/address');
  t.true(seen.includes(JSON.stringify({ address: 'e7.6', host: mac })));
  t.not((await storage.run('lvremove -f vg/v6')).status, 0);
  await onTarget(`await target.removeExport('${volume.id}');`);
  await storage.sh('lvremove -f vg/v6');
});

test.serial('disconnecting a device does not disconnect another one whose address begins the same', async (t) => {
  const short = await makeVolume(7);
  const long = await makeVolume(70);
  await exportVolume(short);
  await exportVolume(long);
  await onVolume(host, 'connect', short);
  await onVolume(host, 'connect', long);
  t.is(await onVolume(host, 'disconnect', short), '');
  t.is((await host.run('test -b /dev/etherd/e7.70')).status, 0);
  t.is(await onVolume(host, 'disconnect', long), '');
});
