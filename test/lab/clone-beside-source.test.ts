import { randomUUID } from 'node:crypto';
import test from 'ava';
import { sizeInBytes } from '../../lib/volume-size.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { runScript } from './script.ts';

/**
 * A clone beside its source on one host, with the commands of docs/operating.md. The clones are full copies by the LVM driver, made while
 * the source is in use; the host is the machine itself, which has the volumes as loop devices.
 */

let lab: Lab;
let host: LabNode;

test.before(async () => {
  lab = await Lab.create({ diskGiB: 4 });
  host = lab.node(1);
  await strictly('modprobe loop; modprobe xfs; modprobe btrfs; mkdir -p /run/driver /run/source /run/clone');
});

test.after.always(() => lab?.close());

/** Each command must succeed. */
function strictly(script: string): Promise<string> {
  return host.sh(`set -e\n${script}`);
}

/** Calls a method of the driver on the volume group. `args` are TypeScript. */
async function driver(verb: string, ...args: string[]): Promise<string> {
  const options = `{ volumeGroup: 'nova-volumes', storageDev: ['/dev/ubda'], storageCreate: true, volumeClear: 'none',
    volumeClearMiBps: 0, snapshotPercent: 100, lvmType: 'thick', thinPool: '', maxOverSubscription: 1, numShellTries: 3,
    directory: '/run/driver' }`;
  const setting = `
    import { LvmDriver } from './lib/drivers/lvm/driver.ts';
    const driver = new LvmDriver(${options}, { ...context, backend: 'lab' });
    await driver.setup();`;
  return runScript(
    host,
    setting,
    `try { return await driver.${verb}(${args.join(', ')}); } finally { await driver.close(); }`,
  );
}

interface Volume {
  /** As the driver takes it. */
  spec: string;
  device: string;
}

function newVolume(loop: number): Volume {
  const size = 1;
  const spec = JSON.stringify({ id: randomUUID(), size, sizeBytes: sizeInBytes(size), labels: {} });
  return { spec, device: `/dev/loop${loop}` };
}

async function connect({ spec, device }: Volume): Promise<void> {
  const path: unknown = JSON.parse(await driver('localPath', spec));
  await strictly(`losetup ${device} ${String(path)}`);
}

/** A volume with what `fill` makes on its device, mounted at /run/source with a file, and a clone of it, connected beside it. */
async function clonedBeside(fill: (device: string) => string): Promise<{ source: Volume; clone: Volume }> {
  const [source, clone] = [newVolume(0), newVolume(1)];
  await driver('createVolume', source.spec);
  await connect(source);
  await strictly(`${fill(source.device)}; echo kept >/run/source/file; sync`);
  await driver('cloneVolume', clone.spec, source.spec);
  await connect(clone);
  return { source, clone };
}

/** Writes to both file systems; each must have its own data then. */
const writeToBoth = `echo source >>/run/source/file; echo clone >>/run/clone/file; sync
  umount /run/source /run/clone`;
const readBoth = 'cat /run/source/file /run/clone/file';
const ofBoth = 'kept\nsource\nkept\nclone';

async function remove(...volumes: Volume[]): Promise<void> {
  for (const { spec, device } of volumes) {
    await strictly(`losetup -d ${device}`);
    await driver('deleteVolume', spec);
  }
}

test.serial('XFS: a clone is mounted with nouuid, and beside its source for good with a UUID of its own', async (t) => {
  t.timeout(15 * 60_000);
  const { source, clone } = await clonedBeside((device) => `mkfs.xfs -q ${device} && mount ${device} /run/source`);
  const refused = await host.run(`mount ${clone.device} /run/clone`);
  t.not(refused.status, 0, 'XFS refuses a file system whose UUID is mounted');

  const early = await host.run(`xfs_admin -U generate ${clone.device} 2>&1`);
  t.regex(early.output, /metadata changes in a log/, 'it was mounted when it was cloned');
  await strictly(`mount -o nouuid ${clone.device} /run/clone`);
  t.is(await strictly('cat /run/clone/file'), 'kept');
  await strictly('umount /run/clone');

  await strictly(`xfs_admin -U generate ${clone.device}; mount ${clone.device} /run/clone`);
  await strictly(writeToBoth);
  await strictly(`mount ${source.device} /run/source; mount ${clone.device} /run/clone`);
  t.is(await strictly(readBoth), ofBoth);
  await strictly('umount /run/source /run/clone');
  await remove(clone, source);
});

test.serial('LVM: the group inside a clone gets names and UUIDs of its own by vgimportclone', async (t) => {
  t.timeout(15 * 60_000);
  const { source, clone } = await clonedBeside(
    (device) => `lvm pvcreate -q ${device}; lvm vgcreate data ${device}; lvm lvcreate -q -l 100%FREE -n files data
      mkfs.ext4 -q /dev/data/files; mount /dev/data/files /run/source`,
  );
  t.regex((await host.run('lvm pvs 2>&1')).output, /prefers device \/dev\/loop0/, 'LVM uses one of the two');
  await strictly(`vgimportclone --basevgname data-clone ${clone.device}
    vgchange -ay data-clone; mount /dev/data-clone/files /run/clone`);
  await strictly(writeToBoth);
  await strictly('mount /dev/data/files /run/source; mount /dev/data-clone/files /run/clone');
  t.is(await strictly(readBoth), ofBoth);
  const devices = await strictly('lvm pvs --noheadings -o vg_name,pv_name --sort vg_name');
  t.regex(devices, /data +\/dev\/loop0\s+data-clone +\/dev\/loop1/);
  await strictly('umount /run/source /run/clone; vgchange -an data data-clone');
  await remove(clone, source);
});

test.serial('btrfs: a clone gets a UUID of its own while its source is not connected', async (t) => {
  t.timeout(15 * 60_000);
  const { source, clone } = await clonedBeside((device) => `mkfs.btrfs -q ${device} && mount ${device} /run/source`);
  const refused = await host.run(`mount ${clone.device} /run/clone`);
  t.not(refused.status, 0, 'btrfs refuses a second device of a UUID that is mounted');

  const path: unknown = JSON.parse(await driver('localPath', source.spec));
  await strictly(`umount /run/source; losetup -d ${source.device}; btrfs device scan --forget`);
  await strictly(`btrfstune -f -u ${clone.device}; losetup ${source.device} ${String(path)}`);
  await strictly(`mount ${source.device} /run/source; mount ${clone.device} /run/clone`);
  await strictly(writeToBoth);
  await strictly(`mount ${source.device} /run/source; mount ${clone.device} /run/clone`);
  t.is(await strictly(readBoth), ofBoth);
  await strictly('umount /run/source /run/clone');
  await remove(clone, source);
});
