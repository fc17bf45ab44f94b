import test from 'ava';
import { reportedCapacity } from '../../../../lib/drivers/rbd/capacity.ts';
import { checkRbd } from '../../../../lib/drivers/rbd/check.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { withoutManager } from '../../../support/ceph.ts';
import { until } from '../../../support/until.ts';
import { spec } from '../subject.ts';
import { data, fillImage } from './data.ts';
import { ceph, driverOn, newPool, startCeph } from './pools.ts';

/** The space that a real manager reports, of an OSD that has 2 GiB of memory and offers 95 % of them. */

startCeph();

const managed = withoutManager === undefined ? data : test.skip;
const osdBytes = 2 * 2 ** 30;

managed('the capacity of a pool is what a manager reports, and the same after data are stored', async (t) => {
  await ceph().startManager();
  const { pool } = await newPool();
  const commands = new RbdCommands({ pool, user: 'admin', conf: ceph().conf }, new ChildProcesses());
  // A new pool has figures with the next report of the OSD.
  const empty = await until(() => reportedCapacity(commands), 'the manager has figures of the pool');
  t.true(empty > 0.9 * osdBytes && empty <= osdBytes, `${empty}`);

  const driver = driverOn({ pool, capacityBytes: undefined });
  await driver.setup();
  const volume = spec();
  await driver.createVolume(volume);
  const stats = await driver.stats();
  t.true(stats.acceptsCreates);
  t.true(Math.abs(stats.totalBytes - empty) < 0.01 * empty, `${stats.totalBytes}`);
  t.is(stats.freeBytes, stats.totalBytes - volume.sizeBytes);
  await t.throwsAsync(driver.createVolume(spec({ size: 2 })), { code: 'NoSpace' });

  const storedMib = 64;
  await fillImage(`${pool}/volume-${volume.id}`, 1, storedMib);
  const stored = async () => {
    const [, bytes] = /"stored": ?(\d+)/.exec(await ceph().run('ceph', ['df', '--format', 'json'])) ?? [];
    return Number(bytes) >= storedMib * 2 ** 20;
  };
  await until(stored, 'the manager has counted the data');
  // What a pool has stored and what is left for it come with different reports.
  const isAsBefore = async () => Math.abs(((await reportedCapacity(commands)) ?? 0) - empty) < 0.01 * empty;
  await until(isAsBefore, 'the capacity is as before');

  const flags = { rbd_pool: pool, rbd_user: 'admin', rbd_ceph_conf: ceph().conf, rbd_secret_uuid: '' };
  const found = await checkRbd(
    { ...flags, rbd_max_clone_depth: 5, rbd_image_pools: ['images'], rbd_capacity_gib: 0 },
    new ChildProcesses(),
  );
  t.regex(
    found.map(({ level, message }) => `${level}: ${message}`).join('\n'),
    /\nok: pool \S+: 1\.\d GiB for volumes\n/,
  );
});
