import test from 'ava';
import { Blockstored } from '../support/blockstored.ts';
import { CephCluster, withoutCeph } from '../support/ceph.ts';
import { CliPlace } from './place.ts';

/** A daemon and command lines, as processes, with volumes on a real Ceph. */
const real = withoutCeph === undefined ? test.serial : test.serial.skip;

real('a volume on Ceph is created, attached, found again after a restart, and deleted', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  const cluster = await CephCluster.create();
  t.teardown(() => cluster.remove());
  await cluster.createPool('volumes');
  const rights = ['mon', 'profile rbd', 'osd', 'profile rbd pool=volumes'];
  const flags: Record<string, string> = {
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '1',
    volume_driver: 'rbd',
    rbd_pool: 'volumes',
    rbd_user: 'blockstore',
    rbd_ceph_conf: await cluster.createUser('blockstore', rights),
    rbd_capacity_gib: '10',
  };
  const refused = await Blockstored.run(flags);
  t.regex(refused.log, /volume_driver = rbd requires volume_target = none/);

  flags['volume_target'] = 'none';
  let daemon = await Blockstored.start(flags);
  t.teardown(() => daemon.kill());
  const created = await place.run('volume', 'create', '1', '--name', 'data');
  t.is(created.exitCode, 0, created.stderr);
  const id = created.stdout;
  const images = async () => (await cluster.run('rbd', ['--pool', 'volumes', 'ls'])).trim();
  t.is(await images(), `volume-${id}`);
  const instance = ['--instance', 'i-1', '--mountpoint', '/dev/vdb'];
  t.is((await place.run('volume', 'attach', id, ...instance)).exitCode, 0);
  const here = await place.run('volume', 'attach', id, '--host-device');
  t.not(here.exitCode, 0);
  await daemon.kill();
  daemon = await Blockstored.start(flags);
  t.is((await place.run('volume', 'detach', id)).exitCode, 0);
  const audit = await place.run('audit');
  t.is(audit.exitCode, 0, audit.stdout);
  t.is((await place.run('volume', 'delete', id)).exitCode, 0);
  t.is(await images(), '');
});
