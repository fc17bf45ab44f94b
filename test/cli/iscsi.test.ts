import { hostname } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { z } from 'zod';
import { ChildProcesses } from '../../lib/process.ts';
import { silentLog } from '../../lib/log.ts';
import { readMachineId } from '../../lib/machine.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { Tgtd } from '../../lib/targets/iscsi-tgt/tgtd.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import { standInLogin, useStandIns } from '../lib/targets/iscsi-tgt/stand-in.ts';
import { Blockstored } from '../support/blockstored.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { changeAttachment } from '../support/attachments.ts';
import { CliPlace } from './place.ts';

/** A daemon and command lines, as processes, with volumes that are exported by a stand-in of tgtd. */

useStandIns();

const standIns = fileURLToPath(new URL('../support/fake-tgt', import.meta.url));
const host = 'iqn.1993-08.org.debian:01:aaa';
const volumeSchema = z.object({ id: z.string(), address: z.string(), attachStatus: z.string() }).loose();

let place: CliPlace;
let port: number;
let flags: Record<string, string>;
let daemon: Blockstored;
test.before(async () => {
  place = await CliPlace.start();
  port = await freePort();
  flags = {
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '1',
    volume_driver: 'file',
    volume_pool_dir: place.file('pool'),
    volume_target: 'iscsi-tgt',
    iscsi_ip_address: '127.0.0.1',
    iscsi_port: String(port),
  };
  daemon = await start();
});
test.after.always(async () => {
  await daemon.kill();
  const running = await tgtd().find();
  if (running) await tgtd().end(running);
  await place.close();
});

function start(): Promise<Blockstored> {
  return Blockstored.start(flags, { PATH: `${standIns}:${process.env['PATH'] ?? ''}` });
}

function tgtd(): Tgtd {
  const directory = join(place.file('state-n1'), 'iscsi');
  return new Tgtd(
    { portal: { ip: '127.0.0.1', port }, directory },
    { processes: new ChildProcesses(), log: silentLog },
  );
}

async function recorded(id: string) {
  return volumesOf(await place.store()).lookup(id);
}

/** What a host needs of the record. */
async function specOf(id: string): Promise<ExportSpec> {
  const { address, chap } = await recorded(id);
  return { id, address, chap, path: '', readOnly: false, hosts: [host] };
}

/** After a loss of Redis the node takes volumes again a moment later. */
function newVolume(): Promise<string> {
  return until(async () => {
    const { exitCode, stdout } = await place.run('volume', 'create', '0');
    return exitCode === 0 && stdout;
  }, 'a volume is created');
}

test.serial('a volume is used by its host while it is attached, across restarts and a loss of Redis', async (t) => {
  const id = await newVolume();
  const attach = [
    'volume',
    'attach',
    id,
    '--instance',
    'i-1',
    '--mountpoint',
    '/dev/vdb',
    '--initiator',
    host.toUpperCase(),
  ];
  t.is((await place.run(...attach)).stdout, id);
  const spec = await specOf(id);
  t.is(spec.address, `127.0.0.1:${port},1 iqn.2010-10.org.openstack:volume-${id} 1`);
  const shown = await place.run('volume', 'show', id);
  t.true(shown.stdout.includes(spec.address) && shown.stdout.includes(host));
  const data = Buffer.alloc(512, 9);
  const session = await standInLogin(spec, host, spec.chap);
  await session.write(0, data);
  await t.throwsAsync(standInLogin(spec, 'iqn.1993-08.org.debian:01:bbb', spec.chap));

  await daemon.stop();
  t.deepEqual(await session.read(0, 512), data, 'exports outlive the daemon');
  daemon = await start();
  t.deepEqual(await session.read(0, 512), data);

  const running = await tgtd().find();
  process.kill(running?.pid ?? 0, 'SIGKILL');
  const isBack = async () => (await (await standInLogin(spec, host, spec.chap)).read(0, 512)).equals(data);
  await until(isBack, 'the export is rebuilt');

  const { redis } = await place.store();
  await redis.flushall();
  await until(async () => (await recorded(id)).attachStatus === 'attached', 'the attachment is recorded again');
  t.like(await recorded(id), { attachHosts: [host], address: spec.address, chap: spec.chap });
  t.true(await isBack());

  const secret = spec.chap?.secret ?? '';
  t.is(secret.length, 16);
  const texts = [daemon.log, shown.stdout, (await place.run('volume', 'list', '--json')).stdout];
  t.false(texts.join('\n').includes(secret));
  t.is((await place.run('volume', 'detach', id)).exitCode, 5, 'its host is not known');
  t.is((await place.run('volume', 'detach', id, '--force')).stdout, id);
  await t.throwsAsync(standInLogin(spec, host, spec.chap));
  t.is((await place.run('volume', 'delete', id)).stdout, id);
  t.is((await place.run('audit')).exitCode, 0);
});

test.serial('hosts are admitted by the names of their kind', async (t) => {
  const id = await newVolume();
  const attach = ['volume', 'attach', id, '--instance', 'i-1', '--mountpoint', '/dev/vdb'];
  const byMac = await place.run(...attach, '--mac', '52:54:00:00:00:01');
  t.is(byMac.exitCode, 2);
  t.regex(byMac.stderr, /by the target iscsi-tgt, whose hosts are not admitted by --mac\n {2}.*--initiator/);
  t.regex((await place.run(...attach, '--initiator', 'host1')).stderr, /initiator name "host1" is not/);
  const both = await place.run(...attach, '--mac', '52:54:00:00:00:01', '--initiator', host);
  t.regex(both.stderr, /--mac is for AoE, --initiator for iSCSI and --nqn for NVMe/);
  t.like(volumeSchema.parse(await place.json('volume', 'show', id)), { attachStatus: 'detached' });
  // Its host is this one: no device of it is looked for.
  t.is((await place.run(...attach, '--host', hostname())).stdout, id);
  t.is((await place.run('volume', 'detach', id)).stdout, id);
  t.is((await place.run('volume', 'delete', id)).stdout, id);
});

test.serial('a volume that this host cannot connect stays detached', async (t) => {
  const id = await newVolume();
  // Whether it lacks open-iscsi, a name, or the protocol that the stand-in does not speak.
  await place.fakeProgram('iscsiadm', 'exit 20');
  const { exitCode, stderr } = await place.run('volume', 'attach', id, '--host-device');
  t.is(exitCode, 1, stderr);
  t.regex(stderr, new RegExp(`^blockstore: could not connect volume ${id} to this host: `));
  t.like(volumeSchema.parse(await place.json('volume', 'show', id)), { attachStatus: 'detached' });
  t.is((await place.run('volume', 'delete', id)).stdout, id);
});

test.serial(
  'doctor looks at the initiator of a host where the cluster exports by iSCSI, and not at its AoE',
  async (t) => {
    const { stdout } = await place.run('doctor', '--role', 'compute');
    t.regex(stdout, /^(ok|bad) +this host (is the iSCSI initiator|cannot connect iSCSI volumes)/m);
    t.notRegex(stdout, /module aoe/);
  },
);

test.serial('clones with one machine id are distinguished by their initiator names', async (t) => {
  const id = await newVolume();
  const attach = ['volume', 'attach', id, '--instance', 'i-1', '--mountpoint', '/dev/vdb', '--initiator', host];
  t.is((await place.run(...attach)).stdout, id);
  const { machine } = await readMachineId();
  await changeAttachment(await place.store(), id, { hostId: machine, hostName: hostname() });
  const refused = await place.run('volume', 'detach', id);
  t.is(refused.exitCode, 5, refused.stderr);
  const others = `on host ${hostname()} with another initiator name than this one (${host})`;
  t.true(refused.stderr.includes(others));
  const repeated = await place.run('volume', 'attach', id, '--host-device');
  t.is(repeated.exitCode, 5, repeated.stderr);
  t.true(repeated.stderr.includes(others), repeated.stderr);
  t.is((await place.run('volume', 'detach', id, '--force')).stdout, id);
  t.is((await place.run('volume', 'delete', id)).stdout, id);
});
