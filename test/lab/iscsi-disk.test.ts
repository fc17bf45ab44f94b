import test from 'ava';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { runScript } from './script.ts';

/**
 * The iSCSI connector on a SCSI disk of the kernel's own target (LIO, by loopback), which a fake iscsiadm brings and takes. With
 * open-iscsi it is tested in iscsi.test.ts.
 */

const id = '6a1b6f4e-0b1c-4d7e-9a55-3f0c6f2f9c11';
const other = '6a1b6f4e-0b1c-4d7e-9a55-3f0c6f2f9c12';
const targetName = `iqn.2010-10.org.openstack:volume-${id}`;
const core = '/sys/kernel/config/target/core/fileio_0/v';
const loopback = '/sys/kernel/config/target/loopback/naa.6001405aaaaaaaaa/tpgt_1';
const record = `/run/nodes/${targetName}/127.0.0.1,3260,1`;
const session = '/run/fake/class/iscsi_session/session1';

const setUp = `
modprobe -a target_core_mod target_core_file tcm_loop sd_mod
mountpoint -q /sys/kernel/config || mount -t configfs none /sys/kernel/config
mkdir -p ${core} ${loopback}/lun/lun_1 /run/m
truncate -s 100M /run/v
echo fd_dev_name=/run/v,fd_dev_size=${100 * 2 ** 20} >${core}/control
echo ${id} >${core}/wwn/vpd_unit_serial
echo 1 >${core}/enable
echo naa.6001405aaaaaaaab >${loopback}/nexus
cat >/usr/local/bin/iscsiadm <<'END'
#!/bin/sh
case "$*" in
  *new) mkdir -p ${record}; echo 'node.name = ${targetName}' >${record}/default ;;
  *delete) rm -r /run/nodes/${targetName} ;;
  *--login) ln -s ${core} ${loopback}/lun/lun_1/port
    mkdir -p ${session}
    echo ${targetName} >${session}/targetname
    echo LOGGED_IN >${session}/state
    ln -s "$(readlink -f /sys/block/sda/device/../..)" ${session}/device ;;
  *--logout) [ ! -e /run/refuses ] || exit 32; rm -r ${session} ${loopback}/lun/lun_1/port ;;
esac
END
chmod 755 /usr/local/bin/iscsiadm`;

let lab: Lab;
let host: LabNode;

test.before(async () => {
  lab = await Lab.create();
  host = lab.node(1);
  await host.sh(setUp);
  await host.start('portal', 'exec socat TCP-LISTEN:3260,fork,reuseaddr /dev/null');
});

test.after.always(async () => {
  await lab?.close();
});

function connector(verb: string, options: object = {}): Promise<string> {
  return runScript(
    host,
    `import { IscsiConnector } from './lib/connectors/iscsi.ts';
    const places = { system: '/run/fake', records: ['/run/nodes'] };
    const connector = new IscsiConnector({ ...context, places });`,
    `return await connector.${verb}('127.0.0.1:3260,1 ${targetName} 1', ${JSON.stringify(options)});`,
  );
}

const volume = { id, sizeBytes: 100 * 2 ** 20, chap: { user: 'user1', secret: 'secret-of-user1' } };

test.serial('a disk is known by its serial number, and in use until it is unmounted', async (t) => {
  t.is(await connector('connect', volume), '{"devicePath":"/dev/sda"}');
  t.regex(await host.sh(`cat ${record}/default`), /^node\.session\.auth\.password = secret-of-user1$/m);
  await host.sh('mkfs.ext4 -q /dev/sda && mount /dev/sda /run/m');
  t.is(await connector('disconnect'), 'DeviceInUse: /dev/sda is in use on this host: mounted on /run/m');
  t.is(await connector('connect', { ...volume, mayBeInUse: true }), '{"devicePath":"/dev/sda"}');
  t.regex(
    await connector('connect', { ...volume, mayBeInUse: true, id: other }),
    new RegExp(`^ConnectorFailed: .*${other} .*\\(/dev/sda\\) has the serial number ${id}: it is not the volume$`),
  );
  await host.sh('umount /run/m');
  t.is(await connector('disconnect'), '');
  t.is(await host.sh('ls -A /run/nodes /run/fake/class/iscsi_session | grep -v : | xargs'), '');
  t.not((await host.run('test -e /dev/sda')).status, 0);
  t.is(await connector('disconnect'), '', 'absent is success');
});

test.serial('a disk is read-only where the attachment is', async (t) => {
  const write = 'dd if=/dev/zero of=/dev/sda bs=4096 count=1 oflag=direct';
  t.is(await connector('connect', { ...volume, readOnly: true }), '{"devicePath":"/dev/sda"}');
  t.not((await host.run(write)).status, 0);
  t.is(await connector('connect', volume), '{"devicePath":"/dev/sda"}');
  t.is((await host.run(write)).status, 0);
  t.is(await connector('disconnect'), '');
});

test.serial('the disk of a session that iscsid does not end is removed', async (t) => {
  t.is(await connector('connect', volume), '{"devicePath":"/dev/sda"}');
  await host.sh(`ln -s /sys/block /run/fake/block; echo FAILED >${session}/state; touch /run/refuses`);
  t.is(await connector('disconnect', { timeoutMs: 1000 }), '');
  t.not((await host.run('test -e /sys/block/sda')).status, 0);
  t.is(await host.sh('ls -A /run/nodes'), '', 'nor is there a record');
});
