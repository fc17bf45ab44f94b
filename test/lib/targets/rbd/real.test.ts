import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { execa } from 'execa';
import type { Log } from '../../../../lib/log.ts';
import { ChildProcesses } from '../../../../lib/process.ts';
import { RbdCommands } from '../../../../lib/rbd/commands.ts';
import { RbdTarget } from '../../../../lib/targets/rbd/target.ts';
import { asError } from '../../../../lib/errors.ts';
import { checkRbd } from '../../../../lib/drivers/rbd/check.ts';
import { CephCluster, withoutCeph } from '../../../support/ceph.ts';
import { until } from '../../../support/until.ts';
import { Qemu, withoutQemu } from './qemu.ts';

/** Who still has a volume open after its attachment, on a real Ceph, with clients of QEMU and of librbd. */

const real = withoutCeph === undefined && withoutQemu === undefined ? test.serial : test.serial.skip;
const pool = 'volumes';
const rights = ['osd', `profile rbd pool=${pool}`];

let cluster: CephCluster;
let conf: string;

test.before(async () => {
  if (withoutCeph !== undefined) return;
  cluster = await CephCluster.create();
  await cluster.createPool(pool);
  conf = await cluster.createUser('node', ['mon', 'profile rbd', ...rights]);
  // Half a minute without it: so long Ceph waits for a client that is cut off. Clients answer every five seconds.
  await cluster.run('ceph', ['config', 'set', 'osd', 'osd_client_watch_timeout', '15']);
});

test.after.always(() => cluster?.remove());

interface Given {
  user?: string;
  conf?: string;
  closingMs?: number;
}

function nodeTarget(given: Given = {}) {
  const lines: string[] = [];
  const line = (message: string) => void lines.push(message);
  const log: Log = { error: line, warn: line, info: line, debug: line };
  const { user = 'node', closingMs = 300 } = given;
  const place = { pool, user, conf: given.conf ?? conf };
  const commands = new RbdCommands(place, new ChildProcesses(), { monitor: 5, osd: 10 });
  return { target: new RbdTarget(commands, { user, secretUuid: '' }, { log, closingMs }), lines };
}

async function newVolume(): Promise<{ id: string; image: string }> {
  const id = randomUUID();
  await cluster.run('rbd', ['create', '--size', '16', `${pool}/volume-${id}`]);
  return { id, image: `volume-${id}` };
}

async function openIn(t: ExecutionContext, ...images: string[]): Promise<Qemu> {
  const qemu = await Qemu.start({ pool, user: 'node', conf }, images);
  t.teardown(() => qemu.kill());
  return qemu;
}

const exportOf = (id: string) => ({ id, path: '', address: '', readOnly: false, hosts: [] });

async function checksum(image: string): Promise<string> {
  const command = `rbd --conf ${cluster.conf} export --no-progress ${pool}/${image} - | sha256sum`;
  return (await execa('sh', ['-c', command], { timeout: 120_000 })).stdout;
}

real('no byte of a QEMU reaches a volume after its detachment; its other disk goes on', async (t) => {
  const { target, lines } = nodeTarget();
  const [volume, other] = [await newVolume(), await newVolume()];
  for (const { id } of [volume, other]) await target.ensureExport(exportOf(id));
  const qemu = await openIn(t, volume.image, other.image);
  const tries: (true | string)[] = [];
  let isDetached = false;
  let triesAfter = 0;
  const writing = (async () => {
    for (let byte = 1; triesAfter < 3; byte += 1) {
      const isAfter = isDetached;
      tries.push(await qemu.write(volume.image, byte));
      if (isAfter) triesAfter += 1;
    }
  })();
  await until(() => tries.includes(true), 'QEMU has written');
  await target.removeExport(volume.id);
  const stored = await checksum(volume.image);
  isDetached = true;
  await writing;
  t.regex(String(tries.at(-1)), /Input\/output error|shutdown/);
  t.is(await checksum(volume.image), stored);
  t.is(await qemu.write(other.image, 7), true);
  t.is(lines.filter((line) => line.includes(`still had volume ${volume.id} open`)).length, 1, lines.join('\n'));

  await target.ensureExport(exportOf(volume.id));
  const next = await openIn(t, volume.image);
  t.is(await next.write(volume.image, 9), true);
  t.not(await qemu.write(volume.image, 8), true);
  await next.quit();
  await target.removeExport(volume.id);
  t.is(lines.length, 1, 'nobody else was blocked');
});

real('a host that Ceph has given up writes nothing when it comes back', async (t) => {
  const { target } = nodeTarget();
  const { id, image } = await newVolume();
  await target.ensureExport(exportOf(id));
  const qemu = await openIn(t, image);
  t.is(await qemu.write(image, 1), true);
  qemu.pause();
  const writing = qemu.write(image, 2);
  const watchers = async () => (await cluster.run('rbd', ['status', `${pool}/${image}`])).includes('watcher=');
  await until(async () => !(await watchers()), 'Ceph has given up the client');
  await target.removeExport(id);
  const stored = await checksum(image);
  qemu.resume();
  t.not(await writing, true);
  t.not(await qemu.write(image, 3), true);
  t.is(await checksum(image), stored);
});

real('a client that closes a volume while it is detached is not blocked', async (t) => {
  const { target, lines } = nodeTarget({ closingMs: 60_000 });
  const { id, image } = await newVolume();
  await target.ensureExport(exportOf(id));
  const qemu = await openIn(t, image);
  t.is(await qemu.write(image, 1), true);
  const removal = target.removeExport(id);
  await qemu.quit();
  await removal;
  t.deepEqual(lines, []);
});

real('who has a volume open without an attachment is not blocked', async (t) => {
  const { target } = nodeTarget();
  const { id, image } = await newVolume();
  const qemu = await openIn(t, image);
  await target.removeExport(id);
  t.is(await qemu.write(image, 1), true);
  await target.ensureExport(exportOf(id));
  await nodeTarget().target.removeExport(id);
  t.not(await qemu.write(image, 2), true, 'another node ends the attachment');
  const later = await openIn(t, image);
  await target.removeExport(id);
  t.is(await later.write(image, 3), true);
});

/** A program with one client for two images, as a kernel has without `noshare`. It writes one of them for each line that it reads. */
const sharing = `
import rados, rbd, sys
conf, pool, *names = sys.argv[1:]
with rados.Rados(rados_id='node', conffile=conf) as cluster, cluster.open_ioctx(pool) as io:
    images = [rbd.Image(io, name) for name in names]
    for line in sys.stdin:
        try:
            images[int(line)].write(b'x' * 4096, 0)
            print('written', flush=True)
        except Exception as error:
            print(error, flush=True)
`;

real('a client that has another volume open as well is named, and goes on', async (t) => {
  const { target } = nodeTarget();
  const [volume, other] = [await newVolume(), await newVolume()];
  for (const { id } of [volume, other]) await target.ensureExport(exportOf(id));
  const child = execa('/usr/bin/python3', ['-c', sharing, conf, pool, volume.image, other.image], { reject: false });
  t.teardown(async () => {
    child.kill('SIGKILL');
    await child;
  });
  let answers = '';
  child.stdout.on('data', (data) => (answers += String(data)));
  const write = async (image: 0 | 1) => {
    answers = '';
    child.stdin.write(`${image}\n`);
    return until(() => /^(.*)\n$/.exec(answers)?.[1], 'the client answers');
  };
  t.is(await write(0), 'written');
  t.is(await write(1), 'written');
  const error = await t.throwsAsync(target.removeExport(volume.id), { code: 'VolumeStillOpen' });
  const [, client = ''] = /still open by the client at (\S+), which has (\S+) open as well$/.exec(error.message) ?? [];
  t.regex(error.message, new RegExp(`${pool}/${other.image} open`));
  t.is(await write(1), 'written');

  t.true(asError(error).hint?.includes(`ceph osd blocklist add ${client}`));
  await cluster.run('ceph', ['osd', 'blocklist', 'add', client]);
  await target.removeExport(volume.id);
  t.not(await write(0), 'written');
});

real('without the right to block clients, an attachment ends when they have closed the volume', async (t) => {
  const own = await cluster.createUser('reader', ['mon', 'allow r', ...rights]);
  const { target, lines } = nodeTarget({ user: 'reader', conf: own });
  await target.setup();
  t.regex(lines.join('\n'), /^client\.reader may not block clients of Ceph: a forced detach .* fails$/);
  const flags = { rbd_pool: pool, rbd_user: 'reader', rbd_ceph_conf: own, rbd_capacity_gib: 1 };
  const more = { rbd_secret_uuid: '', rbd_max_clone_depth: 5, rbd_image_pools: [] };
  const findings = await checkRbd({ ...flags, ...more }, new ChildProcesses());
  t.deepEqual(findings.map(({ level }) => level).slice(0, 3), ['ok', 'warn', 'ok']);

  const { id, image } = await newVolume();
  await target.ensureExport(exportOf(id));
  const qemu = await openIn(t, image);
  t.is(await qemu.write(image, 1), true);
  const error = await t.throwsAsync(target.removeExport(id), { code: 'ClientNotBlocked' });
  t.regex(error.message, new RegExp(`still has volume ${id} open, and client\\.reader may not block it$`));
  t.true(asError(error).hint?.includes(`ceph auth caps client.reader mon 'profile rbd'`));
  t.is(await qemu.write(image, 2), true);
  await qemu.quit();
  await target.removeExport(id);
});

real('a right to block clients changes nothing where it is checked', async (t) => {
  const before = await cluster.run('ceph', ['osd', 'stat', '--format', 'json']);
  const { target, lines } = nodeTarget();
  await target.setup();
  t.deepEqual(lines, []);
  t.is(await cluster.run('ceph', ['osd', 'stat', '--format', 'json']), before);
});

real('a volume whose image is gone is detached, and one of a Ceph that is down stays attached', async (t) => {
  const { target } = nodeTarget();
  const [gone, volume] = [await newVolume(), await newVolume()];
  for (const { id } of [gone, volume]) await target.ensureExport(exportOf(id));
  await cluster.run('rbd', ['rm', '--no-progress', `${pool}/${gone.image}`]);
  await target.removeExport(gone.id);
  await cluster.kill('mon');
  const began = performance.now();
  await t.throwsAsync(target.removeExport(volume.id), { code: 'CephUnreachable' });
  t.true(performance.now() - began < 60_000);
  cluster.start('mon');
  await target.removeExport(volume.id);
});
