import type { LabDaemon } from '../test/lab/daemon.ts';
import { Lab } from '../test/lab/lab.ts';
import type { LabNode } from '../test/lab/node.ts';
import { until } from '../test/support/until.ts';
import { lookupNode } from '../lib/models/node.ts';
import { volumesOf } from '../lib/models/volume.ts';
import { deadline, makeClient, newVolume } from './client.ts';
import { type Figure, median, perSecond, timesOf } from './figures.ts';

const warm = 5;
const alone = 30;
const together = 120;
const volumes = 1000;
const size = 0;
const attachment = { instanceId: 'bench', mountpoint: '/dev/vdb' };

const startMs = 600_000;

/**
 * create → available with LVM, and create → attached with the export by AoE, on a lab node with a real kernel; the yardstick is a forked
 * lvcreate on the same node in the same run, called as the daemon would have to: one process for each.
 */
export async function benchLvm(): Promise<Figure[]> {
  const lab = await Lab.create({ nodes: 1, diskGiB: 200, memory: '1536M' });
  try {
    const node = lab.node(1);
    const flags = {
      storage_name: 'bench',
      storage_dev: '/dev/ubda',
      storage_create: 'true',
      volume_clear: 'none',
      aoe_eth_dev: 'vec0',
      slots_per_shelf: '255',
      state_dir: '/var/lib/blockstore',
      redis_url: lab.redisUrl,
      log_format: 'human',
    };
    const words = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
    const start = (name: string) => startDaemon(node, name, words.join(' '));
    const [first] = await start('first');
    await first.stop();
    const [daemon, emptyMs] = await start('empty'); // not the first: that one reads its files from the disk
    const { store, commands, close } = await makeClient(`unix:${lab.redisSocket}`);
    const create = () => commands.create({ ...newVolume, size }, deadline);
    const createAttached = async () => commands.attach((await create()).id, attachment, deadline);
    await timesOf(warm, createAttached); // warm: the lvm shell and the launcher run
    const one = median(await timesOf(alone, create));
    const many = await perSecond(together, 32, create);
    const oneAttached = median(await timesOf(alone, createAttached));
    const manyAttached = await perSecond(together, 32, createAttached);
    const forked = await forkedTimes(node);
    const served = await bareExportTime(node);
    await daemon.stop();
    const [again] = await start('again');
    const accepts = async () => (await lookupNode(store, 'bench')).backends.every(({ accepting }) => accepting);
    await until(accepts, 'the backend accepts volumes', startMs);
    const { keys } = store;
    for (const { id, attachStatus } of await Array.fromAsync(volumesOf(store).iterate(keys.volumes()))) {
      if (attachStatus === 'detached') await commands.attach(id, attachment, deadline);
    }
    await perSecond(volumes - 2 * alone - 2 * together - warm, 32, createAttached);
    await again.stop();
    const [last, readyMs] = await start('last');
    const adopted = await last.log();
    if (!adopted.includes(`serves ${volumes} volumes`)) throw new Error(`not all were adopted: ${adopted}`);
    await close();
    await last.stop();
    const yardstick = { what: 'forked lvcreate', value: forked };
    const loop = { what: 'a loop of lvcreate', value: 1000 / forked };
    return [
      {
        what: 'LVM create → available, one at a time',
        value: one,
        unit: 'ms',
        aim: '≤ 0.1×',
        yardstick,
      },
      {
        what: 'LVM volumes created, 32 clients',
        value: many,
        unit: '/s',
        aim: '≥ 8×',
        yardstick: loop,
      },
      { what: 'LVM create → attached, export included, one at a time', value: oneAttached, unit: 'ms', yardstick },
      { what: 'LVM volumes created and attached, 32 clients', value: manyAttached, unit: '/s', yardstick: loop },
      { what: 'of which the bare start of a vblade there, until it serves', value: served, unit: 'ms' },
      {
        what: 'daemon start to READY there, 1,000 LVM volumes with running exports',
        value: readyMs,
        unit: 'ms',
        yardstick: { what: 'with none', value: emptyMs },
      },
    ];
  } finally {
    await lab.close();
  }
}

/** Each under a name of its own, so that each has a log of its own. */
async function startDaemon(node: LabNode, name: string, words: string): Promise<[LabDaemon, number]> {
  const begin = performance.now();
  const daemon = await node.start(name, `exec blockstored --config /dev/null ${words}`);
  await until(async () => (await daemon.log()).includes('is ready'), 'blockstored is ready', startMs);
  return [daemon, performance.now() - begin];
}

/** Timed on the node itself, so that the way to it is not counted. */
async function forkedTimes(node: LabNode): Promise<number> {
  const count = 15;
  const output = await node.sh(`for i in $(seq ${count}); do
    a=$(date +%s%N); lvcreate -qq -y -L 100m -n bench-$i nova-volumes >/dev/null 2>&1 || exit 1; b=$(date +%s%N)
    echo $(( (b - a) / 1000 )); done`);
  return median(output.split('\n').map((microseconds) => Number(microseconds) / 1000));
}

/** A process that does nothing but fork and start vblades, and waits for the first line of each. */
async function bareExportTime(node: LabNode): Promise<number> {
  const output = await node.sh(`cat > /tmp/bare.pl <<'END'
use Time::HiRes 'time';
for my $slot (0 .. 19) {
  my $begin = time;
  pipe my $reader, my $writer;
  my $pid = fork // die;
  if (!$pid) { open STDOUT, '>&', $writer; exec 'vblade', 60000, $slot, 'vec0', '/tmp/bare.img' }
  close $writer;
  <$reader>;
  printf "%d\n", (time - $begin) * 1e6;
  kill 'KILL', $pid;
}
END
    truncate -s 100M /tmp/bare.img; perl /tmp/bare.pl 2>/dev/null; rm /tmp/bare.pl /tmp/bare.img`);
  return median(
    output
      .trim()
      .split('\n')
      .map((microseconds) => Number(microseconds) / 1000),
  );
}
