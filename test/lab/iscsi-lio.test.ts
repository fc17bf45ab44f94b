import test from 'ava';
import { missingForLio } from './requirements.ts';
import { StorageCluster } from './storage-cluster.ts';

/** A daemon that exports logical volumes by the kernel's iSCSI target (LIO), and a host with libiscsi on another machine. */

const isReady = (await missingForLio()) === undefined;
const onLab = isReady ? test.serial : test.serial.skip;

const host = 'iqn.1993-08.org.debian:01:host';
const core = '/sys/kernel/config/target';
let cluster: StorageCluster;

test.before(async () => {
  if (!isReady) return;
  cluster = await StorageCluster.create({
    nodes: 2,
    storageNodes: 1,
    keepState: true,
    diskGiB: 4,
    flags: { volume_target: 'iscsi-lio', iscsi_ip_address: '10.77.0.11' },
  });
});

test.after.always(async () => {
  await cluster?.close();
});

interface Login {
  initiator?: string;
  secret?: string;
}

/** Command line of a host's qemu-io for the volume. */
async function qemuIo(id: string, { initiator = host, secret }: Login = {}): Promise<string> {
  const { address, chap } = await cluster.record(id);
  const target = address.split(' ')[1];
  const login = `user=${chap?.user},password-secret=chap,initiator-name=${initiator}`;
  return `timeout 60 qemu-io --object secret,id=chap,data=${secret ?? chap?.secret} \\
    --image-opts driver=iscsi,transport=tcp,portal=10.77.0.11:3260,target=${target},lun=1,${login}`;
}

async function attach(name: string): Promise<void> {
  await cluster.on(1).volume(`attach ${name} --instance i-1 --mountpoint /dev/vdb --initiator ${host}`);
}

onLab('only the host of an attachment with its secret can use the volume, until a forced detachment', async (t) => {
  t.timeout(10 * 60_000);
  const [storage, user] = [cluster.node(1), cluster.node(2)];
  const { id } = await cluster.on(1).volume('create 0 --name data');
  t.is(await storage.sh(`ls ${core}/iscsi | grep volume || true`), '', 'an unattached volume is exported to nobody');
  await attach('data');
  t.regex((await cluster.record(id)).address, new RegExp(`^10\\.77\\.0\\.11:3260,1 \\S+:volume-${id} 1$`));
  const write = `-c 'write -P 7 0 64k' -c 'read -P 7 0 64k'`;
  t.regex(await user.sh(`${await qemuIo(id)} ${write}`), /read 65536\/65536/);
  const denied = async (login: Login) => (await user.run(`${await qemuIo(id, login)} ${write} 2>&1`)).output;
  t.regex(await denied({ secret: 'x'.repeat(16) }), /Authentication failure/);
  t.regex(await denied({ initiator: 'iqn.1993-08.org.debian:01:other' }), /Authorization failure/);
  const commands = `while sleep 0.2; do echo 'write -P 8 0 64k'; done`;
  const writer = await user.start('writer', `${commands} | ${await qemuIo(id)} 2>&1`);
  t.true(await writer.says('wrote', 60_000));
  await cluster.on(1).output(`volume detach ${id} --force`);
  t.is(await storage.sh(`ls ${core}/iscsi ${core}/core/fileio_2010 | grep volume || true`), '');
  t.is(await storage.sh(`ss -Htn state established 'sport = :3260'`), '', 'its session has ended');
  await writer.kill();
});

onLab('after a power loss the volume is exported again, with every acknowledged write', async (t) => {
  t.timeout(10 * 60_000);
  const { id } = await cluster.on(1).volume('show data');
  await attach('data');
  const user = cluster.node(2);
  const commands = `echo 'write -P 9 0 1M'; sleep 600`;
  const writer = await user.start('unflushed', `(${commands}) | ${await qemuIo(id)} 2>&1`);
  t.true(await writer.says('wrote', 60_000));
  await cluster.node(1).powerOff();
  await writer.kill();
  await cluster.bootAgain(1);
  t.not((await cluster.node(1).run(`test -d ${core}/iscsi`)).status, 0, 'the kernel has forgotten everything');
  await cluster.startDaemon(1);
  t.regex(await user.sh(`${await qemuIo(id)} -c 'read -P 9 0 1M'`), /read 1048576\/1048576/);
  const doctor = await cluster.node(1).run('blockstore doctor --role storage');
  t.regex(doctor.output, /ok +the kernel's iSCSI target \(LIO\) is loaded|warn +not all modules/);
  t.regex(doctor.output, /ok +iSCSI portal 10\.77\.0\.11:3260 is free, or served by the kernel/);
  await cluster.on(1).output(`volume detach ${id} --force`);
});
