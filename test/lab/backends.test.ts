import test from 'ava';
import { z } from 'zod';
import { until } from '../support/until.ts';
import { group } from './storage-cluster.ts';
import { type BackendName, ThreeBackends, backendNames, missingForBackends, thinGroup } from './three-backends.ts';

/** Three backends side by side on one node, and a host that attaches volumes of each. */

const real = (await missingForBackends()) === undefined ? test.serial : test.serial.skip;
const patienceMs = 240_000;

let place: ThreeBackends;
/** Of the volume that has the name of its backend, once it is attached. */
const attached = new Map<BackendName, { id: string; device: string }>();

test.before(async () => {
  if (real === test.serial) place = await ThreeBackends.create();
});

test.after.always(async () => {
  await place?.close();
});

const nodeSchema = z.object({
  backends: z.array(
    z.object({
      name: z.string(),
      driver: z.string(),
      target: z.string(),
      pool: z.string(),
      accepting: z.boolean(),
      problem: z.string(),
    }),
  ),
});

async function backends() {
  return nodeSchema.parse(JSON.parse(await place.machines.on(2).output('node show node1'))).backends;
}

async function backend(name: BackendName) {
  const found = (await backends()).find((one) => one.name === name);
  if (!found) throw new Error(`node1 has no backend ${name}`);
  return found;
}

async function problems(): Promise<string[]> {
  const { problems: all } = z
    .object({ problems: z.array(z.string()) })
    .parse(JSON.parse(await place.machines.on(2).output('status')));
  return all.filter((line) => line.startsWith('node node1: '));
}

/** Resolves once "blockstore status" has such a problem. */
async function reports(problem: RegExp): Promise<void> {
  await until(async () => (await problems()).some((line) => problem.test(line)), String(problem), patienceMs);
}

async function isWell(): Promise<boolean> {
  return (
    (await backends()).every(({ accepting, problem }) => accepting && problem === '') && (await problems()).length === 0
  );
}

/** Writes another MiB past the cache of the host, and returns its checksum. */
async function write(device: string): Promise<string> {
  return place.host.sh(`dd if=/dev/urandom of=/run/data bs=1M count=1 status=none
dd if=/run/data of=${device} bs=1M oflag=direct status=none
dd if=${device} bs=1M count=1 iflag=direct status=none | cmp - /run/data
sha256sum </run/data`);
}

/** Creates a volume on a backend, attaches it, writes and reads, and removes it. */
async function goesThrough(name: BackendName): Promise<string> {
  const { id } = await place.onHost(`create 0 --name other --node node1@${name}`);
  const { device = '' } = await place.onHost('attach other --host-device');
  const written = await write(device);
  const found = await place.stored(name, id);
  await place.onHost('detach other');
  await place.machines.on(2).output('volume delete other');
  return written === found ? 'well' : `wrote ${written}, stored ${found}`;
}

/** Each attached volume takes another MiB, and its storage has it. */
async function allAreWritten(which: readonly BackendName[] = backendNames): Promise<string[]> {
  const wrong: string[] = [];
  for (const name of which) {
    const { id = '', device = '' } = attached.get(name) ?? {};
    if ((await write(device)) !== (await place.stored(name, id))) wrong.push(name);
  }
  return wrong;
}

/** What serves the exports; another one would have another number. */
function exporters(): Promise<string> {
  return place.storage.sh("pgrep -a -x vblade; stat -c '%i %n' /sys/kernel/config/target/iscsi/iqn*/tpgt_1");
}

real('a node shows its three backends, each with its driver, target and pool', async (t) => {
  t.timeout(10 * 60_000);
  await until(isWell, 'all backends are reported', patienceMs);
  t.like(await backends(), [
    { name: 'ceph', driver: 'rbd', target: 'rbd', pool: 'volumes' },
    { name: 'thick', driver: 'lvm', target: 'aoe', pool: group },
    { name: 'thin', driver: 'lvm', target: 'iscsi-lio', pool: thinGroup },
  ]);
});

real('a volume is on the backend that --node names, and one host writes and reads one of each', async (t) => {
  t.timeout(10 * 60_000);
  const expected = {
    thick: { place: (id: string) => `${group} volume-${id}`, device: /^\/dev\/etherd\/e\d+\.\d+$/ },
    thin: { place: (id: string) => `${thinGroup} volume-${id} blockstore-pool`, device: /^\/dev\/sd[a-z]$/ },
    ceph: { place: (id: string) => `ceph volume-${id}`, device: /^\/dev\/rbd\d+$/ },
  };
  for (const name of backendNames) {
    const { id } = await place.onHost(`create 0 --name ${name} --node node1@${name}`);
    t.deepEqual(await place.places(id), [expected[name].place(id)]);
    const { device = '' } = await place.onHost(`attach ${name} --host-device`);
    t.regex(device, expected[name].device);
    attached.set(name, { id, device });
  }
  t.deepEqual(await allAreWritten(), []);
});

real('a restart of the daemon keeps all exports, which hosts use meanwhile', async (t) => {
  t.timeout(10 * 60_000);
  const before = await exporters();
  await place.machines.daemon(1).stop();
  t.deepEqual(await allAreWritten(), []);
  await place.startDaemon();
  await until(isWell, 'all backends are reported', patienceMs);
  t.is(await exporters(), before);
  t.deepEqual(await allAreWritten(), []);
});

real('while Ceph does not answer the two others create and attach, also after a restart, and it heals', async (t) => {
  t.timeout(15 * 60_000);
  await place.ceph.kill('mon');
  await reports(/^node node1: backend ceph: .*Ceph does not answer for pool volumes/);
  t.false((await backend('ceph')).accepting);
  for (const name of ['thick', 'thin'] as const) t.is(await goesThrough(name), 'well');
  const { id: elsewhere } = await place.onHost('create 0'); // Ceph would have the most free space
  t.not((await place.machines.record(elsewhere)).backend, 'ceph');
  await place.machines.on(2).output(`volume delete ${elsewhere}`);
  const refused = await place.machines.on(2).run('volume create 0 --node node1@ceph');
  t.deepEqual(refused.codes, ['NoUsableBackend']);
  t.regex(refused.messages.join('\n'), /node1@ceph: (Ceph|storage) does not /);

  const before = await exporters();
  await place.machines.daemon(1).stop();
  await place.startDaemon();
  await until(async () => (await backend('thin')).accepting, 'the others are reported', patienceMs);
  await reports(/^node node1: backend ceph is not served: Ceph does not answer for pool volumes/);
  t.false((await backend('ceph')).accepting);
  for (const name of ['thick', 'thin'] as const) t.is(await goesThrough(name), 'well');
  t.is(await exporters(), before);
  t.deepEqual(await allAreWritten(['thick', 'thin']), []);

  place.ceph.start('mon');
  await until(isWell, 'Ceph is served again', patienceMs);
  t.is(await goesThrough('ceph'), 'well');
  t.deepEqual(await allAreWritten(), []);
});

real('while the disk of one group fails the two others create and attach, and it heals', async (t) => {
  t.timeout(15 * 60_000);
  await place.failThickDisk(true);
  await reports(/^node node1: backend thick: .*volume group nova-volumes is not the one .*: that one is gone/);
  t.false((await backend('thick')).accepting);
  for (const name of ['thin', 'ceph'] as const) t.is(await goesThrough(name), 'well');
  t.deepEqual(await allAreWritten(['thin', 'ceph']), []);
  await place.failThickDisk(false);
  await until(isWell, 'the group is served again', patienceMs);
  t.is(await goesThrough('thick'), 'well');
  t.deepEqual(await allAreWritten(), []);
});

real('nothing remains of volumes that are detached and deleted', async (t) => {
  t.timeout(10 * 60_000);
  for (const name of backendNames) {
    await place.onHost(`detach ${name}`);
    await place.machines.on(2).output(`volume delete ${name}`);
  }
  t.deepEqual(await place.places('volume-'), []);
  t.is(await place.storage.sh('pgrep -x vblade; ls /sys/kernel/config/target/iscsi | grep iqn; true'), '');
  t.is(await place.host.sh('ls /sys/block | grep -E "^(sd|rbd|etherd)"; true'), '');
});
