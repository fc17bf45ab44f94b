import { randomUUID } from 'node:crypto';
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { Blockstored } from '../support/blockstored.ts';
import { CephCluster, withoutCeph } from '../support/ceph.ts';
import { Libvirtd, withoutLibvirtd } from '../support/libvirtd.ts';
import { until } from '../support/until.ts';
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
  t.regex(refused.log, /volume_driver = rbd requires volume_target = rbd or none/);

  flags['volume_target'] = 'none';
  let daemon = await Blockstored.start(flags);
  t.teardown(() => daemon.kill());
  const created = await place.run('volume', 'create', '1', '--name', 'data');
  t.is(created.exitCode, 0, created.stderr);
  const id = created.stdout;
  const images = async () => (await cluster.run('rbd', ['--pool', 'volumes', 'ls'])).trim();
  t.is(await images(), `volume-${id}`);
  const here = await place.run('volume', 'attach', id, '--host-device');
  t.regex(here.stderr, /its backend has volume_target = none/);
  const instance = ['--instance', 'i-1', '--mountpoint', '/dev/vdb'];
  t.is((await place.run('volume', 'attach', id, ...instance)).exitCode, 0);
  await daemon.kill();
  daemon = await Blockstored.start(flags);
  t.is((await place.run('volume', 'detach', id)).exitCode, 0);
  t.like(await place.json('volume', 'show', id), { address: null });

  await daemon.kill();
  daemon = await Blockstored.start({ ...flags, volume_target: 'rbd' });
  t.is((await place.run('volume', 'attach', id, ...instance)).exitCode, 0);
  t.like(await place.json('volume', 'show', id), { address: `rbd:volumes/volume-${id}` });
  t.is((await place.run('volume', 'detach', id)).exitCode, 0);
  const audit = await place.run('audit');
  t.is(audit.exitCode, 0, audit.stdout);
  t.is((await place.run('volume', 'delete', id)).exitCode, 0);
  t.is(await images(), '');
});

const reportMs = 10_000;
const downMs = 20_000;

real('volumes of a killed node are attached through another one within two report intervals of its end', async (t) => {
  const place = await CliPlace.start();
  t.teardown(() => place.close());
  const cluster = await CephCluster.create();
  t.teardown(() => cluster.remove());
  await cluster.createPool('shared');
  const start = async (node: string) => {
    const daemon = await Blockstored.start({
      storage_name: node,
      state_dir: place.file(`state-${node}`),
      redis_url: place.server.url,
      report_interval: String(reportMs / 1000),
      node_down_time: String(downMs / 1000),
      volume_driver: 'rbd',
      volume_target: 'rbd',
      rbd_pool: 'shared',
      rbd_ceph_conf: cluster.conf,
      rbd_capacity_gib: '10',
    });
    t.teardown(() => daemon.kill());
    return daemon;
  };
  const first = await start('n1');
  await start('n2');
  const create = async () => (await place.run('volume', 'create', '1', '--node', 'n1')).stdout;
  const [asked, later] = [await create(), await create()];
  const attach = (id: string) => place.run('volume', 'attach', id, '--instance', 'i-1', '--mountpoint', '/dev/vdb');
  const isServedBy = async (id: string, node: string) =>
    t.like(await place.json('volume', 'show', id), {
      node,
      attachStatus: 'attached',
      address: `rbd:shared/volume-${id}`,
    });

  await first.kill();
  const killed = performance.now();
  // Accepted while the node counts as up: a node is gone once its last report is older than node_down_time.
  const attached = await attach(asked);
  const sinceKill = performance.now() - killed;
  t.is(attached.exitCode, 0, attached.stderr);
  await isServedBy(asked, 'n2');
  t.true(sinceKill < downMs + 2 * reportMs, `${sinceKill} ms`);

  await until(async () => (await place.run('node', 'show', 'n1')).stdout.includes('down'), 'n1 is down');
  const began = performance.now();
  const attachedLater = await attach(later);
  const sinceRequest = performance.now() - began;
  t.is(attachedLater.exitCode, 0, attachedLater.stderr);
  await isServedBy(later, 'n2');
  t.true(sinceRequest < 2 * reportMs, `${sinceRequest} ms`);
  t.log(
    `${Math.round(sinceKill)} ms after the kill, ${Math.round(sinceRequest)} ms after a request for a node that is down`,
  );
});

const withLibvirt = withoutCeph === undefined && withoutLibvirtd === undefined ? test.serial : test.serial.skip;
const withoutModule = withLibvirt === test.serial && !existsSync('/sys/bus/rbd') ? test.serial : test.serial.skip;

interface OnCeph {
  place: CliPlace;
  libvirtd: Libvirtd;
  at: readonly string[];
  definition: () => Promise<string>;
}

/** For all tests. */
let ready: Promise<OnCeph> | undefined;
const closing: (() => Promise<void>)[] = [];

test.after.always(async () => {
  for (const close of closing.toReversed()) await close();
});

/** A node on Ceph and a libvirt with a guest that does not run; and a new volume. */
async function onCeph(): Promise<OnCeph & { id: string }> {
  ready ??= makePlace();
  const made = await ready;
  return { ...made, id: (await made.place.run('volume', 'create', '1')).stdout };
}

async function makePlace(): Promise<OnCeph> {
  const place = await CliPlace.start();
  closing.push(() => place.close());
  const cluster = await CephCluster.create();
  closing.push(() => cluster.remove());
  await cluster.createPool('volumes');
  const secret = randomUUID();
  const daemon = await Blockstored.start({
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '1',
    volume_driver: 'rbd',
    volume_target: 'rbd',
    rbd_pool: 'volumes',
    rbd_ceph_conf: cluster.conf,
    rbd_secret_uuid: secret,
    rbd_capacity_gib: '10',
  });
  closing.push(() => daemon.kill());
  const libvirtd = await Libvirtd.create();
  closing.push(() => libvirtd.remove());
  const key = await cluster.run('ceph', ['auth', 'get-key', 'client.admin']);
  await libvirtd.defineSecret(secret, 'client.admin', key);
  const file = path.join(libvirtd.directory, 'guest.xml');
  await writeFile(
    file,
    `<domain type='qemu'><name>guest</name><memory unit='MiB'>64</memory><os><type machine='q35'>hvm</type></os>
    <devices><emulator>/usr/bin/qemu-system-x86_64</emulator></devices></domain>`,
  );
  await libvirtd.virsh('define', file);
  const at = ['--mountpoint', '/dev/vdb', '--libvirt-uri', libvirtd.uri];
  return { place, libvirtd, at, definition: () => libvirtd.virsh('dumpxml', 'guest', '--inactive') };
}

withLibvirt('a domain gets a volume on Ceph as a network disk, and gives it back', async (t) => {
  const { place, libvirtd, id, at, definition } = await onCeph();
  const refused = await place.run('volume', 'attach', id, '--domain', 'guest', ...at, '--mac', '52:54:00:77:00:01');
  t.regex(refused.stderr, /is exported by the target rbd, whose hosts are not admitted by --mac\n.*omit --mac/);
  const attached = await place.run('volume', 'attach', id, '--domain', 'guest', ...at, '--mode', 'ro');
  t.is(attached.exitCode, 0, attached.stderr);
  t.is(attached.stdout, id);
  t.like(await place.json('volume', 'show', id), {
    address: `rbd:volumes/volume-${id}`,
    attachStatus: 'attached',
    attachments: [{ instanceId: 'guest', libvirtUri: libvirtd.uri, mountpoint: '/dev/vdb' }],
  });
  t.regex(await definition(), new RegExp(`<source protocol='rbd' name='volumes/volume-${id}'>`));
  t.regex(await definition(), new RegExp(`<readonly/>\\s*<serial>${id}</serial>`));

  const detached = await place.run('volume', 'detach', id);
  t.is(detached.exitCode, 0, detached.stderr);
  t.false((await definition()).includes('<disk '));
  t.like(await place.json('volume', 'show', id), { attachStatus: 'detached', attachments: [] });

  t.is((await place.run('volume', 'attach', id, '--domain', 'guest', ...at)).exitCode, 0);
  await libvirtd.virsh('detach-disk', 'guest', 'vdb', '--config');
  t.is((await place.run('volume', 'detach', id)).exitCode, 0, 'released by somebody else, as of an interrupted detach');
  const audit = await place.run('audit');
  t.is(audit.exitCode, 0, audit.stdout);
});

withoutModule('a host whose kernel lacks rbd refuses --host-device before anything starts', async (t) => {
  const { place, id } = await onCeph();
  const { exitCode, stderr } = await place.run('volume', 'attach', id, '--host-device');
  t.is(exitCode, 1, stderr);
  t.regex(stderr, /the kernel module rbd cannot be loaded: .*\n.*for a guest of this host: --domain/);
  t.like(await place.json('volume', 'show', id), { attachStatus: 'detached', status: 'available' });
});

withLibvirt('a domain that cannot get a volume on Ceph leaves it unattached', async (t) => {
  const { place, libvirtd, id, at } = await onCeph();
  const [secret = ''] = (await libvirtd.virsh('secret-list')).trim().split(/\s+/);
  await libvirtd.virsh('secret-undefine', secret);
  const failed = await place.run('volume', 'attach', id, '--domain', 'guest', ...at);
  t.regex(
    failed.stderr,
    new RegExp(`libvirt on this host has no secret ${secret} with the key of the Ceph user client.admin`),
  );
  t.like(await place.json('volume', 'show', id), { attachStatus: 'detached', status: 'available' });
});
