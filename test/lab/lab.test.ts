import { existsSync } from 'node:fs';
import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { processesIn } from './traces.ts';

let lab: Lab;
let storage: LabNode;
let writer: LabNode;
let reader: LabNode;

const exported = '/dev/etherd/e1.1';

test.before(async () => {
  lab = await Lab.create({ nodes: 3 });
  storage = lab.node(1);
  writer = lab.node(2);
  reader = lab.node(3);
});

test.after.always(async () => {
  await lab?.close();
});

async function exportVolume(): Promise<void> {
  await storage.start('vblade', 'exec vblade -s 1 1 vec0 /dev/blockstore/volume');
}

async function see(node: LabNode): Promise<void> {
  await until(
    async () => (await node.run(`aoe-discover; test -b ${exported} && aoe-stat | grep '1.1.* up'`)).status === 0,
    `${exported} on ${node.name}`,
  );
}

async function sumOn(node: LabNode): Promise<string> {
  return node.sh(`mkdir -p /mnt/volume
mount ${exported} /mnt/volume && sha256sum </mnt/volume/data; sum=$?
umount /mnt/volume && exit $sum`);
}

test.serial('nodes run the repository with its Node.js, and return status and output of a script', async (t) => {
  t.is(await storage.sh('node -v'), process.version);
  t.deepEqual(await writer.run('echo out; echo err >&2; exit 3'), { status: 3, output: 'out\nerr\n' });
  await t.throwsAsync(writer.sh('echo because; false'), { message: /status 1[^]*because/ });
  await t.throwsAsync(writer.run('sleep 60', { timeoutMs: 300 }), {
    message: /node2: no answer within 300 ms, from: sleep 60/,
  });
});

test.serial('writes to the root of a node stay in the node', async (t) => {
  const file = `/etc/${lab.name}`;
  await storage.sh(`echo here >${file}`);
  t.is(await storage.readFile(file), 'here\n');
  t.false(existsSync(file));
  t.is((await writer.run(`test -e ${file}`)).status, 1);
});

test.serial('nodes and test share one Redis', async (t) => {
  await writer.sh('redis-cli -h 10.77.0.1 set from node2');
  t.is(await lab.redis.command('get', 'from'), 'node2');
});

test.serial('a node receives replies of any length', async (t) => {
  await lab.redis.command('set', 'long', 'x'.repeat(60_000));
  const heard = 'timeout 20 redis-cli -h 10.77.0.1 get long | wc -c';
  const lengths = await writer.sh(`for reply in $(seq 30); do ${heard}; done | sort | uniq -c`);
  t.is(lengths.trim(), '30 60001');
});

test.serial('a volume written by one initiator is read by another', async (t) => {
  await storage.sh('vgcreate -y blockstore /dev/ubda && lvcreate -y -L 1G -n volume blockstore');
  await exportVolume();
  await see(writer);
  const written = await writer.sh(`mkfs.ext4 -q ${exported} && mkdir -p /mnt/volume && mount ${exported} /mnt/volume &&
    dd if=/dev/urandom of=/mnt/volume/data bs=1M count=16 2>/dev/null && sha256sum </mnt/volume/data && umount /mnt/volume`);
  await see(reader);
  t.is(await sumOn(reader), written);
});

test.serial('synced data survives a power loss of the storage node', async (t) => {
  const before = await sumOn(writer);
  await storage.powerOff();
  t.false(storage.isOn);
  await t.throwsAsync(storage.run('true'), { message: 'node1 is off' });
  await storage.boot();
  await storage.sh('vgchange -ay blockstore');
  await exportVolume();
  await see(writer);
  t.is(await sumOn(writer), before);
});

test.serial('a wait for a node fails when the node loses its power', async (t) => {
  const waiting = t.throwsAsync(reader.run('sleep 60'));
  await until(async () => (await reader.run('pgrep sleep')).status === 0, 'the script runs');
  await reader.powerOff();
  const error = await waiting;
  t.regex(String(error?.cause), /node3 is off \(SIGKILL\)/);
  await reader.boot();
});

test.serial('a partitioned node reaches only the test until the partition ends', async (t) => {
  const knock = `socat -u /dev/null TCP:${storage.ip}:7000,connect-timeout=1`;
  t.is((await writer.run(knock)).status, 0);
  await writer.partition();
  t.not((await writer.run(knock)).status, 0);
  t.is((await reader.run(knock)).status, 0);
  await writer.heal();
  await until(async () => (await writer.run(knock)).status === 0, 'node2 reaches node1 again');
});

test.serial('a paused node replies after it is resumed', async (t) => {
  writer.pause();
  await t.throwsAsync(writer.run('true', { timeoutMs: 500 }));
  writer.resume();
  t.is((await writer.run('true')).status, 0);
});

test.serial('a clean shutdown, a new disk while off and one while on', async (t) => {
  await writer.shutdownClean();
  t.false(writer.isOn);
  const offline = await writer.addDisk(3);
  await writer.boot();
  const online = await writer.addDisk(2);
  t.deepEqual([offline, online], ['/dev/ubdb', '/dev/ubdc']);
  t.is(await writer.sh(`blockdev --getsize64 ${offline} ${online}`), `${3 * 2 ** 30}\n${2 * 2 ** 30}`);
});

test.serial('daemons are detached, have a log, and end on request', async (t) => {
  const daemon = await reader.start('echo', 'echo begin; exec socat TCP-LISTEN:9,fork EXEC:cat');
  t.true(await daemon.running());
  t.is(await daemon.log(), 'begin\n');
  await daemon.stop();
  t.false(await daemon.running());
});

test.serial('operations continue after Redis returns with its data', async (t) => {
  await lab.redis.command('set', 'kept', 'yes');
  await lab.redis.kill();
  t.not((await writer.run('redis-cli -h 10.77.0.1 get kept')).status, 0);
  await lab.redis.start();
  t.is(await writer.sh('redis-cli -h 10.77.0.1 get kept'), 'yes');
});

test.serial('two labs run concurrently, and close leaves nothing', async (t) => {
  const other = await Lab.create();
  t.not(other.name, lab.name);
  t.is(await other.node(1).sh('hostname'), 'node1');
  t.true((await processesIn(other.name)).length > 0);
  const { directory, name } = other;
  const kernel = other.node(1).pid;
  await other.close();
  t.deepEqual(await processesIn(name), []);
  t.throws(() => process.kill(-kernel, 0));
  t.false(existsSync(directory));
  t.false(existsSync(`/run/netns/${name}`));
  t.is((await reader.run('true')).status, 0);
});
