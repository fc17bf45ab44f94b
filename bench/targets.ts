import type { LabNode } from '../test/lab/node.ts';
import { StorageCluster, group } from '../test/lab/storage-cluster.ts';
import { until } from '../test/support/until.ts';
import { deadline, newVolume } from './client.ts';
import { type Figure, median, timesOf } from './figures.ts';

const attachments = 15;
const rounds = 5;
const portal = '10.77.0.11';
const barePort = 3299;
const bareName = 'iqn.2010-10.org.openstack:bare';
const bareDevice = `/dev/${group}/bare`;

/** How a target exports the logical volume `bare` without this product, and how a host gets its device. */
interface Bare {
  target: string;
  /** Shell of the storage node. */
  start: string;
  /** Shell of the host; prints the device. */
  connect: string;
}

const login = `iscsiadm -m node -T ${bareName} -p ${portal}:${barePort} -o new >/dev/null
iscsiadm -m node -T ${bareName} -p ${portal}:${barePort} --login >/dev/null
until set -- /sys/class/iscsi_session/session*/device/target*/*/block/sd* && [ -e "$1" ] && [ -b /dev/$(basename $1) ]
do sleep 0.2; done
echo /dev/$(basename $1)`;

const bares: readonly Bare[] = [
  {
    target: 'aoe',
    start: `vblade -d 60000 0 vec0 ${bareDevice} >/dev/null 2>&1 & sleep 1`,
    connect: 'until aoe-discover && [ -b /dev/etherd/e60000.0 ]; do sleep 0.2; done; echo /dev/etherd/e60000.0',
  },
  {
    target: 'iscsi-tgt',
    start: `tgtd -C 9 --iscsi portal=${portal}:${barePort} && sleep 2
      tgtadm -C 9 --lld iscsi --op new --mode target --tid 1 --targetname ${bareName}
      tgtadm -C 9 --lld iscsi --op new --mode logicalunit --tid 1 --lun 1 --backing-store ${bareDevice} --bsoflags direct
      tgtadm -C 9 --lld iscsi --op bind --mode target --tid 1 --initiator-address ALL`,
    connect: login,
  },
  {
    target: 'iscsi-lio',
    start: `cd /sys/kernel/config/target
      mkdir -p core/iblock_9/bare && echo udev_path=${bareDevice} >core/iblock_9/bare/control
      echo 1 >core/iblock_9/bare/enable
      mkdir -p iscsi/${bareName}/tpgt_1/lun/lun_1 iscsi/${bareName}/tpgt_1/np/${portal}:${barePort}
      ln -s $PWD/core/iblock_9/bare iscsi/${bareName}/tpgt_1/lun/lun_1/bare
      for attribute in authentication=0 demo_mode_write_protect=0 generate_node_acls=1 cache_dynamic_acls=1
      do echo \${attribute#*=} >iscsi/${bareName}/tpgt_1/attrib/\${attribute%=*}; done
      echo 1 >iscsi/${bareName}/tpgt_1/enable`,
    connect: login,
  },
];

const transfers = [
  { what: 'writes of 1 MiB', words: 'if=/dev/zero of=$device bs=1M count=64 oflag=direct', megabytes: 67.1 },
  { what: 'reads of 1 MiB', words: 'if=$device of=/dev/null bs=1M count=64 iflag=direct', megabytes: 67.1 },
  { what: 'writes of 4 KiB', words: 'if=/dev/zero of=$device bs=4k count=1000 oflag=direct', megabytes: 4.1 },
  { what: 'reads of 4 KiB', words: 'if=$device of=/dev/null bs=4k count=1000 iflag=direct', megabytes: 4.1 },
] as const;

/**
 * create → attached with each target on LVM, and direct I/O of a host through an attached volume; its yardstick is the same through the
 * bare tool on the same machines in the same run, in turns. Machines are of User-mode Linux.
 */
export async function benchTargets(): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const bare of bares) figures.push(...(await benchTarget(bare)));
  return figures;
}

async function benchTarget({ target, start, connect }: Bare): Promise<Figure[]> {
  const cluster = await StorageCluster.create({
    nodes: 2,
    storageNodes: 1,
    flags: { volume_target: target, volume_clear: 'none', ...(target === 'aoe' ? {} : { iscsi_ip_address: portal }) },
  });
  try {
    const [storage, host] = [cluster.node(1), cluster.node(2)];
    if (target !== 'aoe') await becomeInitiator(host);
    const attach = async () => {
      const { id } = await cluster.commands.create({ ...newVolume, size: 0 }, deadline);
      await cluster.commands.attach(id, { instanceId: 'bench', mountpoint: '/dev/vdb' }, deadline);
    };
    await attach(); // what the target starts once is running
    const attachMs = median(await timesOf(attachments, attach));
    await storage.sh(`lvcreate -qq -y -L 100m -n bare ${group}`);
    await storage.sh(start);
    const bareOfHost = await host.sh(connect, { timeoutMs: deadline.deadlineMs });
    await cluster.on(2).volume('create 0 --name own');
    const { device = '' } = await cluster.on(2).volume('attach own --host-device');
    return [
      { what: `${target}: create → attached, one at a time`, value: attachMs, unit: 'ms' },
      ...(await transferFigures(host, target, device, bareOfHost)),
    ];
  } finally {
    await cluster.close();
  }
}

async function transferFigures(host: LabNode, target: string, own: string, bare: string): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { what, words, megabytes } of transfers) {
    const rates = new Map<string, number[]>([
      [own, []],
      [bare, []],
    ]);
    for (let round = 0; round <= rounds; round += 1) {
      for (const [device, values] of rates) {
        const rate = megabytes / (await secondsOf(host, words, device));
        if (round > 0) values.push(rate); // the first one warms up
      }
    }
    const rateOf = (device: string) => median(rates.get(device) ?? []);
    const yardstick = { what: 'bare tool', value: rateOf(bare) };
    figures.push({ what: `${target}: ${what}`, value: rateOf(own), unit: 'MB/s', aim: '≥ 0.95×', yardstick });
  }
  return figures;
}

/** Timed on the host itself. */
async function secondsOf(host: LabNode, words: string, device: string): Promise<number> {
  const command = `device=${device}; a=$(date +%s%N); dd ${words} status=none && b=$(date +%s%N) && echo $((b - a))`;
  return Number(await host.sh(command, { timeoutMs: deadline.deadlineMs })) / 1e9;
}

/** As the package open-iscsi does with systemd. */
async function becomeInitiator(host: LabNode): Promise<void> {
  await host.sh(`echo InitiatorName=iqn.2010-10.org.openstack:bench-host >/etc/iscsi/initiatorname.iscsi
    modprobe -a iscsi_tcp sd_mod`);
  await host.start('iscsid', 'exec iscsid -f');
  await until(
    async () => (await host.run('grep -q ISCSIADM_ABSTRACT_NAMESPACE /proc/net/unix')).status === 0,
    'iscsid answers',
  );
}
