import test from 'ava';
import { until } from '../support/until.ts';
import { IscsiLab } from './iscsi-lab.ts';
import { missingForIscsi } from './requirements.ts';

/** Exports at an IPv6 address and another port. Not in the gate; to run it: npm run test:all -- --part iscsi-ipv6 */

const portal = { ip: 'fd77::11', port: 3261 };

const isChosen = process.env['ISCSI_CASES'] === 'all' && (await missingForIscsi()) === undefined;
const onLab = isChosen ? test.serial : test.serial.skip;

for (const server of ['iscsi-tgt', 'iscsi-lio'] as const) {
  onLab(`${server}: what one host writes at [fd77::11]:3261, the next one reads, and nothing is left`, async (t) => {
    t.timeout(15 * 60_000);
    const lab = await IscsiLab.create(server, portal);
    t.teardown(() => lab.close());
    const { id } = await lab.cluster.on(1).volume('create 0 --name data');
    const device = await lab.attached(2, 'data');
    const { address } = await lab.cluster.record(id);
    const targetName = `iqn.2010-10.org.openstack:volume-${id}`;
    t.is(address, `[fd77::11]:3261,1 ${targetName} 1`);
    await lab.host(2).sh(`head -c 1M /dev/urandom >/run/written
dd if=/run/written of=${device} bs=1M oflag=direct status=none`);
    const written = await lab.host(2).sh('sha256sum </run/written');
    t.regex(await lab.host(2).sh('iscsiadm -m session'), /\[fd77::11\]:3261,1 /);
    await lab.cluster.on(2).output('volume detach data');
    t.is(await lab.remains(2), '');

    const next = lab.host(3);
    await next.sh('mkdir -p /run/udev && /lib/systemd/systemd-udevd --daemon');
    await until(async () => (await next.run('test -S /run/udev/control')).status === 0, 'udev runs');
    const name = await lab.attached(3, 'data');
    t.is(name, `/dev/disk/by-path/ip-fd77::11:3261-iscsi-${targetName}-lun-1`);
    t.is(await next.sh(`dd if=${name} bs=1M count=1 iflag=direct status=none | sha256sum`), written);
    await lab.cluster.on(3).output('volume detach data');
    t.is(await lab.remains(3), '');
    await next.sh('pkill -x systemd-udevd');
  });
}
