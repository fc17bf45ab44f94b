import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { checkActivationLists } from '../../lib/drivers/lvm/activation-lists.ts';
import type { LvmDriver } from '../../lib/drivers/lvm/driver.ts';
import { renamedTo } from '../../lib/drivers/lvm/left-behind.ts';
import { spec } from '../lib/drivers/conformance.ts';
import { FaultyCommands } from './faulty-commands.ts';

/** What administrators do to logical volumes under the LVM driver. */

async function place(t: ExecutionContext): Promise<{ commands: FaultyCommands; driver: LvmDriver }> {
  const commands = await FaultyCommands.create();
  await commands.put('blkdiscard');
  await commands.put('sync');
  const driver = commands.lvmDriver({ numShellTries: 1 });
  t.teardown(async () => {
    await driver.close();
    await commands.remove();
  });
  await driver.setup();
  return { commands, driver };
}

/** Removes tags of a logical volume, as `lvchange --deltag` does. */
async function untag({ directory }: FaultyCommands, id: string, isRemoved: (tag: string) => boolean): Promise<void> {
  const file = path.join(directory, 'lvs', `volume-${id}`);
  const [size, tags = '', active] = (await readFile(file, 'utf8')).split('\n');
  const kept = tags.split(',').filter((tag) => !isRemoved(tag));
  await writeFile(file, `${size}\n${kept.join(',')}\n${active}\n`);
}

const removals: Record<string, (id: string) => (tag: string) => boolean> = {
  'the tag with its id': (id) => (tag) => tag === `blockstore:id=${id}`,
  'all tags of blockstore': () => (tag) => tag.startsWith('blockstore'),
};

for (const [what, removed] of Object.entries(removals)) {
  test(`a volume that lost ${what} is not deleted unnoticed, and is after it was labelled again`, async (t) => {
    const { commands, driver } = await place(t);
    const volume = spec({ labels: { user: 'alice' } });
    await driver.createVolume(volume);
    await untag(commands, volume.id, removed(volume.id));
    const relabel = `lvchange --addtag blockstore --addtag blockstore:id=${volume.id} pool/volume-${volume.id}`;
    await t.throwsAsync(driver.deleteVolume(volume), {
      code: 'VolumeBusy',
      message: (text) => text.includes(`lost the volume's label; to label it again: ${relabel};`),
    });
    t.is(await driver.relabelCommand(volume), relabel);
    await t.throwsAsync(driver.labelVolume(volume), { code: 'StorageMissing', message: /exists without it/ });
    await driver.deleteVolume(volume, { unused: true });
    t.deepEqual(await commands.logicalVolumes(), [`volume-${volume.id}`], 'somebody else made it, or it has data');
    const [name = '', ...args] = relabel.split(' ');
    await commands.run('lvm', [name, ...args]);
    t.is(await driver.relabelCommand(volume), undefined);
    await driver.deleteVolume(volume);
    t.deepEqual(await commands.logicalVolumes(), []);
  });
}

test('a volume that loses its tags while it is wiped is not taken for removed', async (t) => {
  const { commands, driver } = await place(t);
  const volume = spec();
  await driver.createVolume(volume);
  await commands.put('sync', path.join(commands.directory, 'untag'));
  const file = path.join(commands.directory, 'lvs', `volume-${volume.id}`);
  await writeFile(path.join(commands.directory, 'untag'), `#!/bin/sh\nsed -i 2s/.*// ${file}\n`, { mode: 0o755 });
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy' });
  t.deepEqual(await commands.logicalVolumes(), [`volume-${volume.id}`]);
});

test('a volume whose logical volume vgsplit took into another group is not taken for removed', async (t) => {
  const { commands, driver } = await place(t);
  const volume = spec();
  await driver.createVolume(volume);
  const other = path.join(commands.directory, 'other');
  await mkdir(other);
  const name = `volume-${volume.id}`;
  await rename(path.join(commands.directory, 'lvs', name), path.join(other, name));
  await t.throwsAsync(driver.deleteVolume(volume), { code: 'VolumeBusy', message: /vgmerge pool other/ });
  t.regex((await driver.whereabouts(volume)) ?? '', /is in volume group other; to undo that: .*vgmerge pool other/);
  const renamed = { name: 'old', tags: ['blockstore', `blockstore:id=${volume.id}`] };
  t.is(
    renamedTo([renamed], 'pool', volume),
    `its logical volume was renamed to old; to undo that: lvrename pool old ${name}`,
  );
  await rm(path.join(other, name));
  t.is(await driver.whereabouts(volume), undefined);
  await driver.deleteVolume(volume);
});

test('a host whose lvm.conf has no section activation has no list of volumes to activate', async (t) => {
  const { commands, driver } = await place(t);
  t.deepEqual(await checkActivationLists(commands, 'pool', []), []);
  await driver.createVolume(spec());
});

test('a volume that LVM cannot activate does not keep the others from being served', async (t) => {
  const { commands, driver } = await place(t);
  const [broken, sound] = [spec(), spec()];
  for (const volume of [broken, sound]) await driver.createVolume(volume);
  await commands.refuseActivation(
    `volume-${broken.id}`,
    'device-mapper: reload ioctl on  (253:3) failed: No such file',
  );
  await driver.setup();
  await driver.ensureVolume(sound);
  await t.throwsAsync(driver.ensureVolume(broken), { code: 'LvmFailed', message: /reload ioctl/ });
});

for (const [message, code] of [
  ["Can't get lock for pool", 'LvmFailed'],
  ['Cannot access VG pool with system ID other with local system ID this.', 'LvmFailed'],
  ['Cannot access VG pool due to failed lock.', 'LvmFailed'],
  ['Failure to communicate with kernel device-mapper driver.', 'LvmFailed'],
  ['Volume group pool is exported', 'GroupInaccessible'],
] as const) {
  test(`a group that LVM does not activate is not served: ${message}`, async (t) => {
    const { commands, driver } = await place(t);
    await commands.refuseActivation('pool', message);
    await t.throwsAsync(driver.setup(), { code });
  });
}

test('a group whose extents are larger than hosts accept takes no creates until vgchange makes them smaller', async (t) => {
  const { commands, driver } = await place(t);
  const [before, after] = [spec(), spec()];
  await driver.createVolume(before);
  const extent = path.join(commands.directory, 'extent');
  await writeFile(extent, String(2 ** 28));
  await driver.setup();
  t.true((await driver.stats()).acceptsCreates, '256 MiB are accepted');
  await writeFile(extent, String(2 ** 29));
  await driver.setup();
  await t.throwsAsync(driver.createVolume(after), { code: 'GroupInaccessible', message: /extents of 512 MiB/ });
  const { acceptsCreates, problem } = await driver.stats();
  t.false(acceptsCreates);
  t.regex(problem ?? '', /volume group pool has extents of 512 MiB/);
  await driver.ensureVolume(before);
  await writeFile(extent, String(2 ** 22));
  await driver.createVolume(after);
});
