import { rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { isRunning } from '../../../../lib/targets/aoe/vblade-process.ts';
import { until } from '../../../support/until.ts';
import { Place, cannotExport } from './place.ts';
import { Veth } from './veth.ts';

/** Processes on this node that serve an address of an export, and that no supervisor has. */

const real = cannotExport === undefined ? test : test.skip;

async function placeFor(t: ExecutionContext): Promise<Place> {
  const place = await Place.create();
  t.teardown(() => place.remove());
  return place;
}

real('no export starts at an address that a vblade started by hand serves on this node', async (t) => {
  const place = await placeFor(t);
  const [volume, other] = [await place.volume(1), await place.volume(2)];
  const target = await place.readyTarget();
  await place.vbladeOf([String(place.shelf), '1', 'lo', other.path]);
  const stranger = await place.vblade();
  const message = new RegExp(`process ${stranger.pid} on this node, which exports ${other.path},`);
  await t.throwsAsync(target.ensureExport(volume), { code: 'AddressInUse', message });
  t.deepEqual(await place.vblade(), stranger);
  process.kill(stranger.pid, 'SIGKILL');
  await target.ensureExport(volume);
  t.is((await place.vblade()).args.at(-1), volume.path);
});

real('a later daemon replaces an export whose lock file was deleted', async (t) => {
  const place = await placeFor(t);
  const volume = await place.volume(1);
  const earlier = await place.readyTarget();
  await earlier.ensureExport(volume);
  await earlier.close();
  const before = await place.vblade();
  await rm(join(place.directory, 'exports', `${volume.id}.lock`));
  const later = await place.readyTarget();
  await later.ensureExport(volume);
  t.false(isRunning(before));
  t.is((await place.vblade()).args.at(-1), volume.path);
  await later.removeExport(volume.id);
  t.deepEqual(await place.vblades(), []);
});

real('exports start after their directory was removed, and the next daemon restores the others', async (t) => {
  const place = await placeFor(t);
  const [one, other] = [await place.volume(1), await place.volume(2)];
  const target = await place.readyTarget();
  await target.ensureExport(one);
  await rm(join(place.directory, 'exports'), { recursive: true });
  t.deepEqual(await target.listTraces(), []);
  t.true((await target.listExports()).some(({ path }) => path === one.path));
  await target.ensureExport(other);
  await target.close();
  const later = await place.readyTarget();
  for (const volume of [one, other]) await later.ensureExport(volume);
  t.deepEqual((await later.listTraces()).toSorted(), [one.id, other.id].toSorted());
  t.is((await place.vblades()).length, 2);
});

real('a vblade on another interface does not keep an export from its address', async (t) => {
  const place = await placeFor(t);
  const [volume, other] = [await place.volume(1), await place.volume(2)];
  const veth = await Veth.create(t);
  const target = await place.readyTarget();
  await place.vbladeOf([String(place.shelf), '1', veth.near, other.path]);
  await target.ensureExport(volume);
  t.is((await place.vblades()).length, 2);
});

real(
  'a vblade on another interface, or at another address, that exports a volume is refused beside its export, and reported',
  async (t) => {
    const place = await placeFor(t);
    const [volume, other] = [await place.volume(1), await place.volume(2)];
    const veth = await Veth.create(t);
    const target = await place.readyTarget();
    await place.vbladeOf([String(place.shelf), '1', veth.near, volume.path]);
    const stranger = await place.vblade();
    const as = (vblade: { pid: number }, address: string, name: string) =>
      `process ${vblade.pid} on this node exports volume ${volume.id} as well, as ${address} on ${name}`;
    const message = as(stranger, volume.address, veth.near);
    await t.throwsAsync(target.ensureExport(volume), { code: 'AddressInUse', message });
    await target.ensureExport(other);
    process.kill(stranger.pid, 'SIGKILL');
    await until(() => !isRunning(stranger), 'it has ended');
    await target.ensureExport(volume);
    t.deepEqual(target.problems(), []);

    const alias = join(place.directory, 'alias');
    await symlink(volume.path, alias);
    await place.vbladeOf([String(place.shelf), '9', 'lo', alias]);
    const later = (await place.vblades()).find(({ args }) => args.at(-1) === alias);
    await until(() => target.problems().length > 0, 'it is reported');
    t.is(target.problems()[0]?.error.message, as(later ?? stranger, `e${place.shelf}.9`, 'lo'));
    t.is(target.problems()[0]?.id, volume.id);
    if (later) process.kill(later.pid, 'SIGKILL');
    await until(() => target.problems().length === 0, 'it is gone');
  },
);
