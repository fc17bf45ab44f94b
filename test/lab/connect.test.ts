import test from 'ava';
import { until } from '../support/until.ts';
import { Lab } from './lab.ts';
import type { LabNode } from './node.ts';
import { onConnector } from './script.ts';

/** What a host does with a device that is not the volume's, or does not answer. */

const MiB = 2 ** 20;

let lab: Lab;
let storage: LabNode;
let host: LabNode;
let stranger: LabNode;

test.before(async () => {
  lab = await Lab.create({ nodes: 3 });
  storage = lab.node(1);
  host = lab.node(2);
  stranger = lab.node(3);
});

test.after.always(async () => {
  await lab?.close();
});

/** Starts a vblade of a file of that size; returns what ends it. */
async function exportFile(slot: number, sizeMiB: number, node = storage): Promise<() => Promise<void>> {
  await node.sh(`truncate -s ${sizeMiB}M /run/v${slot}`);
  const vblade = await node.start(`vblade${slot}`, `exec vblade 8 ${slot} vec0 /run/v${slot}`);
  await until(vblade.running.bind(vblade), 'vblade runs');
  return () => vblade.stop();
}

function connect(slot: number, options: object): Promise<string> {
  return onConnector(host, 'connect', `'e8.${slot}'`, JSON.stringify({ timeoutMs: 60_000, ...options }));
}

test.serial('a device has the size of its volume, or is refused', async (t) => {
  const end = await exportFile(1, 100);
  t.is(await connect(1, { sizeBytes: 100 * MiB }), '{"devicePath":"/dev/etherd/e8.1"}');
  t.is(await onConnector(host, 'disconnect', "'e8.1'"), '');
  t.regex(
    await connect(1, { sizeBytes: 1024 * MiB }),
    /^ConnectorFailed: .*its target has 104857600 bytes, the volume has/,
  );
  await end();
});

test.serial('a device that a deleted volume left is replaced, unless it is used', async (t) => {
  const endOld = await exportFile(2, 2048);
  t.is(await connect(2, { sizeBytes: 2048 * MiB }), '{"devicePath":"/dev/etherd/e8.2"}');
  const reader = await host.start('reader', 'exec sleep 1000 </dev/etherd/e8.2');
  await endOld();
  const end = await exportFile(2, 1024);
  t.regex(await connect(2, { sizeBytes: 1024 * MiB }), /^DeviceInUse: .*open in sleep, process \d+/);
  await reader.stop();
  t.is(await connect(2, { sizeBytes: 1024 * MiB }), '{"devicePath":"/dev/etherd/e8.2"}');
  t.is((await host.sh('blockdev --getsize64 /dev/etherd/e8.2')).trim(), String(1024 * MiB));
  t.is(await onConnector(host, 'disconnect', "'e8.2'"), '');
  await end();
});

test.serial('a device is of the node of its volume, or is refused', async (t) => {
  const [endpoint = '', other = ''] = await Promise.all(
    [storage, stranger].map((node) => node.sh('cat /sys/class/net/vec0/address')),
  );
  const end = await exportFile(6, 100);
  t.is(await connect(6, { endpoint }), '{"devicePath":"/dev/etherd/e8.6"}');
  t.is(await onConnector(host, 'disconnect', "'e8.6'"), '');
  await end();
  const endOther = await exportFile(6, 100, stranger);
  t.regex(
    await connect(6, { endpoint }),
    new RegExp(`^ConnectorFailed: .*the machine ${other} answers on that address, the volume's node is ${endpoint}`),
  );
  t.is(await onConnector(host, 'disconnect', "'e8.6'"), '');
  await endOther();
});

test.serial(
  'a device that another machine answers for beside its node is refused, whoever answers first',
  async (t) => {
    const [endpoint = '', other = ''] = await Promise.all(
      [storage, stranger].map((node) => node.sh('cat /sys/class/net/vec0/address')),
    );
    const ends = [await exportFile(7, 100), await exportFile(7, 100, stranger)];
    const refusal = new RegExp(`^ConnectorFailed: .*the machine ${other} answers on that address, .*is ${endpoint}`);
    // The kernel names the machine that answered first alone: each of the two is late once.
    for (const late of [stranger, storage]) {
      await late.sh('tc qdisc add dev vec0 root netem delay 20ms');
      t.regex(await connect(7, { endpoint }), refusal, late.name);
      t.is(await onConnector(host, 'disconnect', "'e8.7'"), '');
      await late.sh('tc qdisc del dev vec0 root');
    }
    for (const end of ends) await end();
  },
);

test.serial('a device is read-only where the attachment is', async (t) => {
  const end = await exportFile(3, 100);
  t.is(await connect(3, { readOnly: true }), '{"devicePath":"/dev/etherd/e8.3"}');
  t.not((await host.run('dd if=/dev/zero of=/dev/etherd/e8.3 bs=4096 count=1 oflag=direct')).status, 0);
  t.is(await connect(3, {}), '{"devicePath":"/dev/etherd/e8.3"}');
  t.is((await host.run('dd if=/dev/zero of=/dev/etherd/e8.3 bs=4096 count=1 oflag=direct')).status, 0);
  t.is(await onConnector(host, 'disconnect', "'e8.3'"), '');
  await end();
});

test.serial('an export that stops answering is an error within a limit, not a hang', async (t) => {
  const end = await exportFile(4, 100);
  t.is(await connect(4, {}), '{"devicePath":"/dev/etherd/e8.4"}');
  await storage.sh('pkill -STOP -x vblade');
  t.regex(await connect(4, {}), /^ConnectorFailed: .*a read of the device failed: no answer within 10 s/);
  // The read that was given up waits in the kernel, and does not keep the device.
  t.is(await onConnector(host, 'disconnect', "'e8.4'"), '');
  await until(async () => (await host.run('pgrep -x dd')).status === 1, 'the reader has ended');
  await storage.sh('pkill -CONT -x vblade');
  await end();
});

test.serial('a device that the kernel does not even open is an error within a limit, not a hang', async (t) => {
  // The target answers queries and says its size; reads are lost, as where a switch lets no large frames pass.
  const atCommand = 'u32 match u8 0x24 0xff at 13';
  await storage.sh(
    `tc qdisc add dev vec0 clsact && tc filter add dev vec0 ingress protocol 0x88a2 ${atCommand} action drop`,
  );
  const end = await exportFile(6, 100);
  const refused =
    /^ConnectorFailed: .*\/dev\/etherd\/e8\.6 .*the kernel does not open the device: no answer within 10 s/;
  await host.sh('aoe-discover');
  await until(async () => (await host.run('test -b /dev/etherd/e8.6')).status === 0, 'the kernel has the device');
  t.regex(await connect(6, {}), refused);
  t.regex(await onConnector(host, 'disconnect', "'e8.6'"), refused);
  await storage.sh('tc qdisc del dev vec0 clsact');
  // The kernel repeats what was lost, less and less often.
  await until(
    async () => (await connect(6, { sizeBytes: 100 * MiB })) === '{"devicePath":"/dev/etherd/e8.6"}',
    'it opens',
  );
  t.is(await onConnector(host, 'disconnect', "'e8.6'"), '');
  await end();
});

test.serial('a volume group on a device is named with the command that releases it', async (t) => {
  const end = await exportFile(5, 100);
  await connect(5, {});
  const lvm = `--config 'devices { filter = [ "a|^/dev/etherd/e8.5$|", "r|.*|" ] types = [ "aoe", 16 ] }'`;
  const made = await host.run(
    `(vgcreate ${lvm} -y inner-group /dev/etherd/e8.5 && lvcreate ${lvm} -y -L 16M -n data inner-group) 2>&1`,
  );
  t.is(made.status, 0, made.output);
  t.is(
    await onConnector(host, 'disconnect', "'e8.5'"),
    'DeviceInUse: /dev/etherd/e8.5 is in use on this host: part of LVM volume group inner-group ' +
      '(to release it: vgchange -an inner-group)',
  );
  await host.sh(`vgchange ${lvm} -an inner-group`);
  t.is(await onConnector(host, 'disconnect', "'e8.5'"), '');
  await end();
});

test.serial('a module that asks on other interfaces only is named', async (t) => {
  await host.sh('modprobe aoe; printf lo >/dev/etherd/interfaces');
  const end = await exportFile(9, 100);
  t.regex(
    await connect(9, { timeoutMs: 1000 }),
    /^ConnectorFailed: .*no target answers on that address; the module aoe of this host asks on lo only \(aoe_iflist\)/,
  );
  await host.sh(String.raw`printf '\0' >/dev/etherd/interfaces`);
  t.is(await connect(9, { sizeBytes: 100 * MiB }), '{"devicePath":"/dev/etherd/e8.9"}');
  await end();
});
