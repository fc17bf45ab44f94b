import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';

let lab: Lab;

test.before(async () => {
  lab = await Lab.create({ systemd: true });
});

test.after.always(async () => {
  await lab?.close();
});

test.serial('systemd is PID 1, has started its units, and has a journal', async (t) => {
  const node = lab.node(1);
  t.is(await node.sh('cat /proc/1/comm'), 'systemd');
  t.is(await node.sh('systemctl --failed --no-legend'), '');
  await node.sh(`cat >/etc/systemd/system/probe.service <<END
[Service]
Type=notify
NotifyAccess=all
ExecStart=/bin/sh -c 'echo probing; systemd-notify --ready; exec sleep 1000'
Restart=always
RestartSec=0
END
systemctl daemon-reload; systemctl start probe`);
  t.is(await node.sh('systemctl is-active probe'), 'active');
  await node.sh('kill -9 $(systemctl show -p MainPID --value probe)');
  const restarts = async () => Number(await node.sh('systemctl show -p NRestarts --value probe'));
  await until(async () => (await restarts()) === 1, 'systemd restarts the unit');
  t.regex(await node.sh('journalctl -u probe'), /probing/);
});

test.serial('LVM works', async (t) => {
  await lab.node(1).sh('vgcreate -y vg /dev/ubda && lvcreate -y -L 64M -n one vg');
  t.is(await lab.node(1).sh('test -b /dev/vg/one && lvs --noheadings -o lv_name vg'), '  one');
});

test.serial('a machine shuts down cleanly and boots again', async (t) => {
  await lab.node(1).shutdownClean();
  await lab.node(1).boot();
  t.is(await lab.node(1).sh('vgchange -ay vg >/dev/null; ls /dev/vg'), 'one');
});
