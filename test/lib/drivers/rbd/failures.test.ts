import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { checkRbd } from '../../../../lib/drivers/rbd/check.ts';
import { readMonitors } from '../../../../lib/rbd/monitors.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { asError } from '../../../../lib/errors.ts';
import { spec } from '../conformance.ts';
import { canRead } from './data.ts';
import { ceph, driverOn, newPool, real, startCeph } from './pools.ts';

startCeph();

const limits = { monitor: 2, osd: 3 };

/** Returns the code and the message of the error; a message of several lines fails the test. */
async function failureOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (thrown: unknown) => asError(thrown),
  );
  if (error === undefined) return 'none';
  if (error.message.includes('\n')) throw new Error(`several lines: ${error.message}`);
  return `${error.code}: ${error.message}`;
}

const oneRight = (pool: string) => ['mon', 'profile rbd', 'osd', `profile rbd pool=${pool}`];

real('a user with rights on one pool has volumes and snapshots there, and is refused in another pool', async (t) => {
  const { pool } = await newPool();
  const { pool: other } = await newPool();
  const conf = await ceph().createUser('one', oneRight(pool));
  const driver = driverOn({ pool, conf, user: 'one' });
  await driver.setup();
  t.is(driver.capabilities.shared, `rbd:${ceph().fsid}/${pool}`);
  const [volume, clone] = [spec(), spec()];
  await driver.createVolume(volume);
  await driver.cloneVolume(clone, volume);
  await driver.deleteVolume(volume);
  t.deepEqual(
    (await driver.listVolumes()).map(({ id }) => id),
    [clone.id],
  );
  t.is(
    await failureOf(driverOn({ pool: other, conf, user: 'one' }).setup()),
    `CephDenied: Ceph refuses user client.one for pool ${other}: error opening image blockstore-checks-the-pool: ` +
      '(1) Operation not permitted',
  );
});

real('a user who may only read is refused before any volume is created', async (t) => {
  const { pool } = await newPool();
  const rights = ['mon', 'profile rbd', 'osd', `profile rbd-read-only pool=${pool}`];
  const conf = await ceph().createUser('reader', rights);
  t.regex(
    await failureOf(driverOn({ pool, conf, user: 'reader' }).setup()),
    /^CephDenied: .*\(1\) Operation not permi/,
  );
});

real('a wrong pool, user, keyring or configuration is one line that names it', async (t) => {
  const cluster = ceph();
  t.is(await failureOf(driverOn({ pool: 'none' }).setup()), 'NoCephPool: Ceph has no pool none');
  t.is(
    await failureOf(driverOn({ user: 'nobody' }).setup()),
    'CephDenied: Ceph refuses user client.nobody for pool rbd: ' +
      'the cluster does not know this user, or its key is another one',
  );
  const keyless = await cluster.confWith('keyless', (text) => text.replace(/^keyring=.*$/m, 'keyring=/none/keyring'));
  t.is(
    await failureOf(driverOn({ conf: keyless }).setup()),
    'CephDenied: Ceph refuses user client.admin for pool rbd: no keyring is found at /none/keyring',
  );
  t.regex(
    await failureOf(driverOn({ conf: '/none/ceph.conf' }).setup()),
    /^CephConfiguration: the configuration of Ceph \/none\/ceph\.conf cannot be used: unable to open config file/,
  );
  const broken = await cluster.confWith('broken', () => 'not a [configuration');
  t.regex(
    await failureOf(driverOn({ conf: broken }).setup()),
    /^CephConfiguration: the configuration of Ceph .*broken\.conf cannot be used: error reading config file/,
  );
});

real('without a manager or a stated capacity no volumes are created, and existing ones can be used', async (t) => {
  const driver = await newPool();
  const volume = spec();
  await driver.createVolume(volume);
  const { pool } = driver;

  const unstated = driverOn({ pool, capacityBytes: undefined });
  await unstated.setup();
  t.like(await unstated.stats(), { acceptsCreates: false, volumeBytes: volume.sizeBytes, freeBytes: 0 });
  t.regex(await failureOf(unstated.createVolume(spec())), /^CapacityUnknown: Ceph gives no capacity for pool/);
  t.true(await unstated.hasVolume(volume));
  await unstated.deleteVolume(volume);
});

real('doctor names cluster, pool, space and the right to block clients', async (t) => {
  const { pool } = await newPool();
  const flags = { rbd_pool: pool, rbd_user: 'admin', rbd_ceph_conf: ceph().conf, rbd_secret_uuid: '' };
  const check = (rbd_capacity_gib: number) =>
    checkRbd({ ...flags, rbd_max_clone_depth: 5, rbd_image_pools: ['images'], rbd_capacity_gib }, new ChildProcesses());
  t.deepEqual((await check(0)).map(({ level }) => level).slice(0, 3), ['ok', 'ok', 'warn']);
  const [ofData, ...others] = (await check(3)).toReversed();
  t.deepEqual(others.toReversed(), [
    { level: 'ok', message: `pool ${pool} of the Ceph cluster ${ceph().fsid}, as client.admin` },
    { level: 'ok', message: 'client.admin may block clients, as a forced detach does' },
    { level: 'ok', message: `pool ${pool}: 3 GiB stated for volumes` },
  ]);
  const opened = 'volumes can be opened for images and backups';
  t.deepEqual(ofData, canRead ? { level: 'ok', message: opened } : ofData);
});

real('a cluster that is down is one line with pool and monitors, within the time limit', async (t) => {
  const { pool } = await newPool();
  const commands = new RbdCommands({ pool, user: 'admin', conf: ceph().conf }, new ChildProcesses(), limits);
  const driver = driverOn({ pool, limits });
  await driver.setup();
  await ceph().kill('mon');
  const began = performance.now();
  const expected = new RegExp(`^CephUnreachable: Ceph does not answer for pool ${pool} \\(monitors .*127\\.0\\.0\\.1:`);
  t.regex(await failureOf(driver.createVolume(spec())), expected);
  t.regex(await failureOf(driver.setup()), expected);
  t.regex(await failureOf(driver.listVolumes()), expected);
  t.regex(await failureOf(readMonitors(commands)), expected);
  t.true(performance.now() - began < 60_000);
  ceph().start('mon');
  await driver.setup();
  // The last use of the cluster: an OSD in memory does not start again.
  await ceph().kill('osd');
  t.regex(await failureOf(driver.listVolumes()), expected);
  t.regex(await failureOf(driver.createVolume(spec())), expected);
});
