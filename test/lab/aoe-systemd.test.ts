import { randomUUID } from 'node:crypto';
import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

let lab: Lab;
let node: LabNode;

const volume = { id: randomUUID(), path: '/dev/vg/v1', address: 'e7.1', readOnly: false, hosts: [] };
const patienceMs = 120_000;
const unit = `blockstore-vblade@${volume.id}.service`;

test.before(async () => {
  lab = await Lab.create({ systemd: true, nodes: 2 });
  node = lab.node(1);
  await node.sh(`vgcreate -y vg /dev/ubda && lvcreate -y -L 64M -n v1 vg
    cp etc/blockstore-vblade*.service /etc/systemd/system/ && systemctl daemon-reload`);
});

test.after.always(async () => {
  await lab?.close();
});

/** Runs TypeScript on the node with a target configured as in a daemon; prints its result as JSON. */
async function onTarget(body: string, options: Record<string, unknown> = {}): Promise<string> {
  const all = {
    interface: 'vec0',
    durability: 'sync',
    stateDir: '/var/lib/blockstore',
    numShellTries: 1,
    unfiltered: false,
    ...options,
  };
  const text = `
    import { ChildProcesses } from './lib/process.ts';
    import { silentLog } from './lib/log.ts';
    import { AoeTarget } from './lib/targets/aoe/target.ts';
    const target = new AoeTarget(${JSON.stringify(all)}, { processes: new ChildProcesses(), log: silentLog });
    const volume = ${JSON.stringify(volume)};
    try {
      await target.setup();
      ${body}
    } catch (error) {
      console.log(error.code + ': ' + error.message);
    } finally {
      await target.close();
    }`;
  return node.sh(`node --input-type=module-typescript -e '${text.replaceAll("'", String.raw`'\''`)}'`);
}

/** Since the boot of a machine. */
async function seconds(on: LabNode): Promise<number> {
  return Number((await on.sh('cut -d" " -f1 /proc/uptime')).trim());
}

/** Returns process id and arguments of every vblade. */
async function vblades(): Promise<string[]> {
  const { output } = await node.run('pgrep -a -x vblade');
  return output.split('\n').filter((line) => line !== '');
}

async function oneVblade(): Promise<{ pid: string; args: string }> {
  const [line = '', ...others] = await vblades();
  if (line === '' || others.length > 0) throw new Error(`not one vblade: ${[line, ...others].join(', ')}`);
  const [pid = '', , ...args] = line.split(' ');
  return { pid, args: args.join(' ') };
}

test.serial('an export is an instance of the template unit, started once', async (t) => {
  t.is(await onTarget('await Promise.all([1, 2, 3].map(() => target.ensureExport(volume)));'), '');
  t.is(await node.sh(`systemctl is-active ${unit}`), 'active');
  t.is((await oneVblade()).args, '-d -s 7 1 vec0 /dev/vg/v1');
});

/** Seconds that a host takes for 100 reads of 4 KiB, one after the other. */
async function reading(): Promise<number> {
  const other = lab.node(2);
  const device = '/dev/etherd/e7.1';
  await other.sh('modprobe aoe');
  await until(
    async () => (await other.run(`echo 1 >/dev/etherd/discover; test -b ${device}`)).status === 0,
    'the host has it',
  );
  const before = await seconds(other);
  await other.sh(`dd if=${device} of=/dev/null bs=4096 count=100 iflag=direct`);
  return (await seconds(other)) - before;
}

const tenReads = '{ ...volume, limits: { iops: 10, bytesPerSecond: undefined } }';

async function limitsOfUnit(): Promise<string> {
  return (
    await node.sh(`systemctl show --value --property IOReadIOPSMax --property IOWriteIOPSMax ${unit} | xargs`)
  ).trim();
}

test.serial('limits hold for what an export reads, and end with the attachment that had them', async (t) => {
  const free = await reading();
  t.is(await onTarget(`await target.removeExport(volume.id); await target.ensureExport(${tenReads});`), '');
  const slow = await reading();
  t.log(`100 reads: ${free} s without limits, ${slow} s with 10 a second`);
  t.true(slow >= 9, `${slow} s`);
  t.is(await onTarget('await target.removeExport(volume.id); await target.ensureExport(volume);'), '');
  t.is(await limitsOfUnit(), '');
});

test.serial('limits change while an export runs, by whichever daemon', async (t) => {
  const { pid } = await oneVblade();
  t.is(await onTarget(`await target.ensureExport(${tenReads});`), '');
  const slow = await reading();
  t.true(slow >= 9, `${slow} s`);
  t.is(await onTarget(`await target.ensureExport(${tenReads.replace('10', '20')});`), '');
  t.is(await limitsOfUnit(), '/dev/vg/v1 20 /dev/vg/v1 20');
  t.is(
    await onTarget('console.log(JSON.stringify((await target.listExports()).map(({ limits }) => limits)));'),
    '[{"iops":20}]',
  );
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is(await limitsOfUnit(), '');
  t.is(
    await node.sh(`cat /sys/fs/cgroup$(cut -d: -f3 /proc/${pid}/cgroup)/io.max`),
    '',
    'nor does the kernel limit it',
  );
  t.is((await oneVblade()).pid, pid);
});

test.serial('an export that runs as it should is left alone, with limits and without', async (t) => {
  const bothLimits = 'await target.ensureExport({ ...volume, limits: { iops: 1000, bytesPerSecond: 1048576 } });';
  const settings = () => node.sh(`stat -c '%n %i %z' /run/systemd/system.control/${unit}.d/*`);
  const before = await settings();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is(await settings(), before);
  t.is(await onTarget(bothLimits), '');
  const limited = await settings();
  t.not(limited, before);
  t.is(await onTarget(bothLimits), '');
  t.is(await settings(), limited);
  t.is(await onTarget('await target.ensureExport(volume);'), '');
});

test.serial('a later daemon does not touch the export, and systemd restarts it when it dies', async (t) => {
  const { pid } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, pid);
  await node.sh(`kill -9 ${pid}`);
  await until(async () => (await oneVblade()).pid !== pid, 'systemd starts another vblade');
  const { pid: next } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, next);
});

test.serial('it is not root, and may open the device of its volume alone', async (t) => {
  const { pid } = await oneVblade();
  const status = await node.sh(`cat /proc/${pid}/status`);
  t.notRegex(status, /^Uid:\t0\t/m);
  t.regex(status, /^CapEff:\t0000000000002000$/m, 'CAP_NET_RAW');
  await node.sh('lvcreate -y -L 64M -n v2 vg');
  const group = await node.sh(`cut -d: -f3 /proc/${pid}/cgroup`);
  const inGroup = (command: string) => node.run(`sh -c 'echo $$ >"/sys/fs/cgroup${group}/cgroup.procs" && ${command}'`);
  t.is((await inGroup('head -c 1 /dev/vg/v1 >/dev/null')).status, 0);
  t.regex((await inGroup('head -c 1 /dev/vg/v2')).output, /Operation not permitted/);
  t.regex((await inGroup('head -c 1 /dev/ubda')).output, /Operation not permitted/);
  t.regex(await node.sh(`nsenter --mount --target ${pid} ls /var/lib/blockstore 2>&1 || true`), /^$|Permission denied/);
});

test.serial('while the interface is down it waits, and it is back with it, without a daemon', async (t) => {
  const restarts = () => node.sh(`systemctl show --property NRestarts --value ${unit}`);
  const { pid } = await oneVblade();
  await node.sh('ip link set vec0 down');
  await until(async () => !(await vblades()).some((line) => line.startsWith(`${pid} `)), 'it has ended', patienceMs);
  await until(
    async () => (await node.sh(`systemctl is-active ${unit} || true`)) === 'activating',
    'it waits',
    patienceMs,
  );
  const before = Number(await restarts());
  await node.sh('sleep 5');
  t.true(Number(await restarts()) <= before + 1, 'no restart storm');
  await node.sh('ip link set vec0 up');
  await until(async () => (await vblades()).length === 1, 'it is back', patienceMs);
});

test.serial('the volume of a file is exported by a unit that may open no device', async (t) => {
  const file = '/var/lib/blockstore/volumes/v9';
  await node.sh(`mkdir -p -m 700 /var/lib/blockstore/volumes && truncate -s 1M ${file} && chmod 600 ${file}`);
  const fileVolume = { ...volume, id: randomUUID(), path: file, address: 'e7.9' };
  const spec = JSON.stringify(fileVolume);
  const cached = { durability: 'cached' }; // the machine's root is in memory, without O_DIRECT
  t.is(await onTarget(`await target.ensureExport(${spec});`, cached), '');
  const line = (await vblades()).find((one) => one.endsWith(file)) ?? '';
  t.regex(await node.sh(`cat /proc/${line.split(' ')[0]}/status`), /^CapEff:\t0000000000002000$/m);
  t.is(await onTarget(`await target.removeExport('${fileVolume.id}');`, cached), '');
  t.is((await vblades()).length, 1);
});

test.serial('changed options replace the export', async (t) => {
  t.is(await onTarget('await target.ensureExport({ ...volume, readOnly: true });', { durability: 'cached' }), '');
  t.is((await oneVblade()).args, '-r 7 1 vec0 /dev/vg/v1');
});

test.serial('a removed export leaves no files', async (t) => {
  t.is(await onTarget('await target.removeExport(volume.id); await target.removeExport(volume.id);'), '');
  t.deepEqual(await vblades(), []);
  t.is(await node.sh('ls /var/lib/blockstore/exports'), '');
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive');
  t.is(await node.sh('ls /run/systemd/system.control'), '', 'nor settings of their units');
});

test.serial('an export from before the unit existed is kept, replaced when it changes, and removed', async (t) => {
  t.is(await onTarget('await target.ensureExport(volume);', { supervisor: 'detached' }), '');
  const { pid } = await oneVblade();
  t.is(await onTarget('await target.ensureExport(volume);'), '');
  t.is((await oneVblade()).pid, pid);
  t.is(await onTarget('await target.ensureExport({ ...volume, readOnly: true });'), '');
  t.is((await oneVblade()).args, '-d -s -r 7 1 vec0 /dev/vg/v1');
  t.is(await node.sh(`systemctl is-active ${unit}`), 'active');
  t.is(await onTarget('await target.removeExport(volume.id);'), '');
  t.deepEqual(await vblades(), []);
});

test.serial('an export of missing storage fails with the reason of vblade', async (t) => {
  t.is(
    await onTarget("await target.ensureExport({ ...volume, path: '/dev/vg/nothing' });"),
    `ExportFailed: could not export volume ${volume.id}: open: No such file or directory`,
  );
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive', 'systemd does not try on');
  t.is(await onTarget('await target.removeExport(volume.id);'), '');
  t.is((await node.run(`systemctl is-active ${unit}`)).output.trim(), 'inactive');
});
