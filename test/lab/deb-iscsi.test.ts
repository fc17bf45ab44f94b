import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { missingForIscsi, missingForLio } from './requirements.ts';

/**
 * The package on a machine with systemd, with exports over iSCSI to a host by libiscsi on the same machine. Not in the gate; to run it:
 * npm run test:all -- --part deb-iscsi
 */

const isChosen = process.env['ISCSI_CASES'] === 'all';
const canRun = isChosen && ((await missingForIscsi()) ?? (await missingForLio())) === undefined;
const onLab = canRun ? test.serial : test.serial.skip;

const host = 'iqn.1993-08.org.debian:01:aaa';
const ip = '10.77.0.11';
const conf = '/etc/blockstore/blockstore.conf';
const root = '/sys/kernel/config/target/iscsi';
const volumeSchema = z.looseObject({ id: z.string(), address: z.string() });
const chapSchema = z.looseObject({ chap: z.object({ user: z.string(), secret: z.string() }) });

let directory: string;
let lab: Lab;
let node: LabNode;

test.before('build and install the packages on a machine with systemd', async () => {
  if (!canRun) return;
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-deb-iscsi-'));
  const tool = path.resolve(import.meta.dirname, '../../tools/deb.ts');
  const packages = (await execa(process.execPath, [tool, directory])).stdout.replaceAll('\n', ' ');
  lab = await Lab.create({ systemd: true, memory: '1G' });
  node = lab.node(1);
  await node.sh(`rm -f /usr/sbin/policy-rc.d; dpkg -i ${packages}`, { timeoutMs: 600_000 });
});

test.after.always(async () => {
  if (!canRun) return;
  await lab?.close();
  await rm(directory, { recursive: true, force: true });
});

async function configure(target: string): Promise<void> {
  await node.sh(`cat >${conf} <<END
storage_dev = /dev/ubda
storage_create = true
volume_target = ${target}
iscsi_ip_address = ${ip}
redis_url = ${lab.redisUrl}
END`);
}

async function property(name: string, unit = 'blockstored'): Promise<string> {
  return node.sh(`systemctl show -p ${name} --value ${unit}`);
}

async function journal(...options: string[]): Promise<string> {
  return node.sh(`journalctl -o cat --quiet ${options.join(' ')}`);
}

async function attached(name: string): Promise<{ id: string; address: string }> {
  await node.sh(`blockstore volume create 0 --name ${name}`);
  return volumeSchema.parse(
    JSON.parse(
      await node.sh(`blockstore --json volume attach ${name} --instance i-1 --mountpoint /dev/vdb --initiator ${host}`),
    ),
  );
}

/** Logs in as the host, writes, and reads that. */
async function useExport({ id, address }: { id: string; address: string }, server: 'tgt' | 'lio'): Promise<string> {
  const targetName = address.split(' ')[1] ?? '';
  const auth = `${root}/${targetName}/tpgt_1/acls/${host}/auth`;
  const shown =
    server === 'tgt'
      ? await node.sh(`cat /var/lib/blockstore/iscsi/exports/${id}.json`)
      : await node.sh(
          `printf '{"chap":{"user":"%s","secret":"%s"}}' "$(cat ${auth}/userid)" "$(cat ${auth}/password)"`,
        );
  const { chap } = chapSchema.parse(JSON.parse(shown));
  const portal = address.split(',')[0];
  const image = [
    `driver=iscsi,transport=tcp,portal=${portal},target=${targetName},lun=1,initiator-name=${host}`,
    `user=${chap.user},password-secret=chap`,
  ].join(',');
  return node.sh(`timeout 60 qemu-io --object secret,id=chap,data=${chap.secret} -c 'write -P 7 0 4096' -c 'read -P 7 0 4096' \\
    --image-opts ${image} </dev/null`);
}

const used = /wrote 4096\/4096 bytes[^]*read 4096\/4096 bytes/;

async function isServed(volume: { id: string; address: string }, server: 'tgt' | 'lio'): Promise<boolean> {
  return used.test(await useExport(volume, server));
}

let volume: { id: string; address: string };

onLab('iscsi-tgt: the daemon starts tgtd as its unit, and a host uses the export', async (t) => {
  t.timeout(10 * 60_000);
  await configure('iscsi-tgt');
  await node.sh('systemctl start blockstored');
  volume = await attached('first');
  t.is(await property('ActiveState', 'blockstore-tgtd'), 'active');
  t.is(await property('MainPID', 'blockstore-tgtd'), await node.sh('pidof tgtd'));
  t.regex(await useExport(volume, 'tgt'), used);
  t.is(await journal(`_SYSTEMD_INVOCATION_ID=${await property('InvocationID')}`, '-p warning'), '');
});

onLab('iscsi-tgt: tgtd has only the rights that it needs', async (t) => {
  const pid = await node.sh('pidof tgtd');
  const rights = await node.sh(`awk '/^(CapBnd|NoNewPrivs):/ { print $1 $2 }' /proc/${pid}/status`);
  t.is(rights, 'CapBnd:0000000001000402\nNoNewPrivs:1');
  const seen = `nsenter --mount --target ${pid}`;
  for (const place of ['/usr/probe', '/etc/blockstore/probe', '/root/probe']) {
    t.not((await node.run(`${seen} touch ${place}`)).status, 0, place);
  }
});

onLab('iscsi-tgt: the export continues without the daemon, and through its crash', async (t) => {
  t.timeout(10 * 60_000);
  const pid = await node.sh('pidof tgtd');
  await node.sh('systemctl stop blockstored');
  t.regex(await useExport(volume, 'tgt'), used);
  await node.sh('systemctl start blockstored; kill -9 $(systemctl show -p MainPID --value blockstored)');
  await until(
    async () => (await property('NRestarts')) === '1' && (await property('ActiveState')) === 'active',
    'it is back',
  );
  t.is(await node.sh('pidof tgtd'), pid);
  t.regex(await useExport(volume, 'tgt'), used);
});

onLab('iscsi-tgt: a killed tgtd is started again with its exports', async (t) => {
  t.timeout(10 * 60_000);
  const pid = await node.sh('pidof tgtd');
  await node.sh(`kill -9 ${pid}`);
  await until(() => isServed(volume, 'tgt'), 'the export is back');
  t.not(await node.sh('pidof tgtd'), pid);
  t.is(await property('MainPID', 'blockstore-tgtd'), await node.sh('pidof tgtd'));
});

onLab("iscsi-lio: what keeps the daemon from using the kernel's target is named with its fix", async (t) => {
  t.timeout(10 * 60_000);
  await node.sh('blockstore volume detach first && systemctl stop blockstored');
  await configure('iscsi-lio');
  const refused = async () => {
    await node.sh('systemctl stop blockstored');
    const cursor = await node.sh("journalctl --quiet --lines 0 --show-cursor | sed -n 's/^-- cursor: //p'");
    t.not((await node.run('systemctl start blockstored')).status, 0);
    return journal('-u blockstored', `--after-cursor='${cursor}'`);
  };
  const unloaded = await refused();
  t.regex(unloaded, /(iscsi_target_mod|target_core_mod) is not loaded/);
  const [fix = 'false'] = /modprobe -a [a-z_ ]+/.exec(unloaded) ?? [];
  await node.sh(fix);
  const taken = await refused();
  t.regex(taken, /tgtd .*listens there/);
  const [stop = 'false'] = /systemctl stop blockstore-tgtd/.exec(taken) ?? [];
  await node.sh(stop);
  await node.sh('systemctl stop blockstored; systemctl start blockstored');
  t.regex(await node.sh('blockstore node list'), /node1 +up/);
});

onLab(
  'iscsi-lio: in the sandbox of its unit the daemon exports by the kernel, and a host uses the export',
  async (t) => {
    t.timeout(10 * 60_000);
    volume = await attached('second');
    t.regex(await useExport(volume, 'lio'), used);
    t.is(await journal(`_SYSTEMD_INVOCATION_ID=${await property('InvocationID')}`, '-p warning'), '');
    await node.sh('systemctl stop blockstored');
    t.regex(await useExport(volume, 'lio'), used, 'it continues without the daemon');
    await node.sh('systemctl start blockstored');
  },
);

onLab('iscsi-lio: an export that another program clears is back, and a detach removes it', async (t) => {
  t.timeout(10 * 60_000);
  await node.sh('mkdir -p /etc/rtslib-fb-target; targetctl clear'); // the package does not make the directory
  await until(() => isServed(volume, 'lio'), 'the export is back');
  await node.sh('blockstore volume detach second');
  t.is(await node.sh(`ls ${root} | grep -c ^iqn || true`), '0');
});
