import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';

let directory: string;
/** Paths of the packages, for a shell. */
let packages: string;
let lab: Lab;
let node: LabNode;

test.before('build the packages, boot a machine with systemd', async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-deb-lab-'));
  const tool = path.resolve(import.meta.dirname, '../../tools/deb.ts');
  packages = (await execa(process.execPath, [tool, directory])).stdout.replaceAll('\n', ' ');
  lab = await Lab.create({ systemd: true, memory: '1G' });
  node = lab.node(1);
  await node.sh('rm -f /usr/sbin/policy-rc.d'); // a host may forbid packages to restart services
});

test.after.always(async () => {
  await lab?.close();
  await rm(directory, { recursive: true, force: true });
});

async function property(name: string, unit = 'blockstored'): Promise<string> {
  return node.sh(`systemctl show -p ${name} --value ${unit}`);
}

async function vblade(): Promise<string> {
  return node.sh('pidof vblade');
}

/** Returns the process ids of the daemon, which is started if necessary, and of the export. */
async function bothRunning(): Promise<{ daemon: string; vblade: string }> {
  await node.sh('systemctl start blockstored');
  return { daemon: await property('MainPID'), vblade: await vblade() };
}

async function isBackAfter(pid: string): Promise<void> {
  await until(async () => !['0', pid].includes(await property('MainPID')) && (await isActive()), 'it is back');
}

async function isActive(): Promise<boolean> {
  return (await node.run('systemctl is-active blockstored')).output.trim() === 'active';
}

test.serial('an installation starts nothing and prints the next steps', async (t) => {
  const output = await node.sh(`dpkg -i ${packages}`, { timeoutMs: 600_000 });
  t.regex(output, /edit \/etc\/blockstore\/blockstore\.conf/);
  t.is(await node.sh('systemctl is-enabled blockstored'), 'enabled');
  t.is(await property('ActiveState'), 'inactive');
});

test.serial('an invalid flag is reported once, and the daemon is not restarted', async (t) => {
  await node.sh('echo "redis_port = many" >>/etc/blockstore/blockstore.conf');
  t.not((await node.run('systemctl start blockstored')).status, 0);
  t.is(await property('ActiveState'), 'failed');
  t.is(await property('NRestarts'), '0');
  t.regex(await node.sh('journalctl -u blockstored -o cat'), /redis_port = "many" must be/);
});

test.serial('a configured daemon is ready when systemctl start returns', async (t) => {
  await node.sh(`cat >/etc/blockstore/blockstore.conf <<END
storage_dev = /dev/ubda
storage_create = true
aoe_eth_dev = vec0
redis_url = ${lab.redisUrl}
END
systemctl start blockstored`);
  t.is(await property('ActiveState'), 'active');
  t.regex(await node.sh('journalctl -u blockstored -o cat'), /is ready/);
  t.regex(await node.sh('blockstore node list'), /node1/);
});

test.serial('each attached volume is exported by its own unit', async (t) => {
  await node.sh('blockstore volume create 0 --name first');
  await node.sh('blockstore volume attach first --instance i-1 --mountpoint /dev/vdb');
  const units = await node.sh("systemctl list-units --plain --no-legend --state=active 'blockstore-vblade@*'");
  t.is(units.split('\n').length, 1);
  t.regex(await vblade(), /^\d+$/);
});

test.serial(
  'the daemon has the rights to limit an export, and to remove the settings of one that has ended',
  async (t) => {
    const settings = () => node.sh('ls /run/systemd/system.control');
    const before = await settings();
    await node.sh('blockstore type create slow --iops 500 && blockstore volume create 0 --name limited --type slow');
    await node.sh('blockstore volume attach limited --instance i-2 --mountpoint /dev/vdb');
    const added = (await settings()).split('\n').find((one) => !before.includes(one)) ?? '';
    const limited = added.replace(/\.d$/, '');
    t.regex(await node.sh(`systemctl show --value --property IOWriteIOPSMax '${limited}'`), /^\/dev\/\S+ 500$/);
    await node.sh(
      'blockstore volume detach limited && blockstore volume delete limited && blockstore type delete slow',
    );
    t.is(await settings(), before);
  },
);

test.serial('daemon and export have only the rights that they need', async (t) => {
  const pids = { daemon: await property('MainPID'), vblade: await vblade() };
  const rights = async (pid: string) =>
    node.sh(`awk '/^(CapBnd|NoNewPrivs|Seccomp):/ { print $1 $2 }' /proc/${pid}/status`);
  t.is(await rights(pids.daemon), 'CapBnd:0000000008a87023\nNoNewPrivs:1\nSeccomp:2');
  t.is(await rights(pids.vblade), 'CapBnd:0000000000002000\nNoNewPrivs:1\nSeccomp:2');
  for (const [program, pid] of Object.entries(pids)) {
    const seen = `nsenter --mount --target ${pid}`;
    const { status } = await node.run(`${seen} touch /var/lib/blockstore/probe && rm /var/lib/blockstore/probe`);
    t.is(status === 0, program === 'daemon', program);
    for (const place of ['/usr/probe', '/etc/blockstore/probe', '/root/probe']) {
      t.not((await node.run(`${seen} touch ${place}`)).status, 0, place);
    }
  }
});

test.serial('an export continues during a stop, and the next start finds it', async (t) => {
  const [before, run] = [await vblade(), await property('InvocationID')];
  const group = `/sys/fs/cgroup${await property('ControlGroup')}`;
  const beside = await node.start('beside', `echo $$ >${group}/cgroup.procs; exec sleep 1000`);
  await until(
    async () => (await node.sh(`cat ${group}/cgroup.procs`)).split('\n').includes(String(beside.pid)),
    'it is beside',
  );
  await node.sh('systemctl stop blockstored');
  t.true(await beside.running(), 'so would an export without a unit of its own');
  await beside.kill();
  t.is(await property('Result'), 'success');
  // Operations that the sandbox refused would be listed here.
  t.is(await node.sh(`journalctl _SYSTEMD_INVOCATION_ID=${run} -p warning -o cat --quiet`), '');
  t.is(await vblade(), before);
  await node.sh('systemctl start blockstored');
  t.is(await vblade(), before);
});

test.serial('a killed daemon is restarted, and the export continues', async (t) => {
  const before = await bothRunning();
  await node.sh(`kill -9 ${before.daemon}`);
  await isBackAfter(before.daemon);
  t.is(await property('NRestarts'), '1');
  t.is(await vblade(), before.vblade);
});

test.serial('the watchdog restarts a hanging daemon, and the export continues', async (t) => {
  t.is(await property('WatchdogUSec'), '1min');
  const changes = '/run/systemd/system/blockstored.service.d';
  await node.sh(`mkdir -p ${changes}
printf '[Service]\\nWatchdogSec=10\\nTimeoutAbortSec=1\\n' >${changes}/impatient.conf
systemctl daemon-reload; systemctl restart blockstored`);
  const before = await bothRunning();
  const heard = await property('WatchdogTimestampMonotonic');
  await until(async () => (await property('WatchdogTimestampMonotonic')) !== heard, 'a sign of life');
  t.is(await property('MainPID'), before.daemon);
  await node.sh(`kill -STOP ${before.daemon}`);
  await isBackAfter(before.daemon);
  t.regex(await node.sh('journalctl -u blockstored -o cat'), /Watchdog timeout/);
  t.is(await vblade(), before.vblade);
  await node.sh(`rm -r ${changes}; systemctl daemon-reload; systemctl restart blockstored`);
});

test.serial('an upgrade restarts only the daemon and keeps the configuration', async (t) => {
  const before = await bothRunning();
  await node.sh(`dpkg -i --force-confold ${packages}`, { timeoutMs: 600_000 });
  t.is(await property('ActiveState'), 'active');
  t.not(await property('MainPID'), before.daemon);
  t.is(await vblade(), before.vblade);
  t.regex(await node.sh('blockstore volume list'), /first/);
});

test.serial('the sandbox, in which LVM loads no modules, has those of snapshots and of thin volumes', async (t) => {
  const conf = '/etc/blockstore/blockstore.conf';
  await node.sh(`systemctl stop blockstored; rmmod dm_thin_pool dm_snapshot
echo 'lvm_type = thin' >>${conf}
systemctl start blockstored
blockstore volume create 0 --name second
blockstore volume attach second --instance i-2 --mountpoint /dev/vdc`);
  t.is(await node.sh('ls -d /sys/module/dm_thin_pool /sys/module/dm_snapshot | wc -l'), '2');
  const layouts = await node.sh('lvs --noheadings -o lv_layout -S lv_name=~^volume- nova-volumes');
  t.deepEqual(layouts.split(/\s+/).filter(Boolean).toSorted(), ['linear', 'thin,sparse']);
  t.is((await vblade()).split(' ').length, 2);
  await node.sh(`blockstore volume detach second; blockstore volume delete second
sed -i '/^lvm_type/d' ${conf}; systemctl restart blockstored`);
  t.regex(await vblade(), /^\d+$/);
});

test.serial('a dead export is restarted, also without the daemon', async (t) => {
  await node.sh('systemctl stop blockstored');
  const before = await vblade();
  await node.sh(`kill -9 ${before}`);
  const now = await until(async () => (await node.run('pidof vblade')).output.trim() || false, 'it is back');
  t.not(now, before);
});

test.serial('removing and purging the package keeps exports and data', async (t) => {
  const before = await vblade();
  const output = await node.sh('dpkg -P blockstore-storage blockstore', { timeoutMs: 600_000 });
  t.regex(output, /exports continue without the daemon \(units: 1\)/);
  t.regex(output, /\/var\/lib\/blockstore remains/);
  t.is(await vblade(), before);
  t.regex(await node.sh('ls /var/lib/blockstore/exports'), /\.env$/m);
  t.regex(await node.sh('lvs --noheadings -o lv_name nova-volumes'), /volume-/);
});
