import { randomUUID } from 'node:crypto';
import test, { type ExecutionContext } from 'ava';
import { CliPlace } from '../../cli/place.ts';
import { Blockstored } from '../../support/blockstored.ts';
import type { Device } from '../../support/fake-san/device.ts';
import { LefthandDevice } from '../../support/fake-san/lefthand-device.ts';
import { SolarisDevice } from '../../support/fake-san/solaris-device.ts';
import { SshStandIn } from '../../support/fake-san/ssh-stand-in.ts';
import { until } from '../../support/until.ts';

/** How many commands over SSH a daemon with a thousand volumes sends, of which every fifth is exported. */

const count = 1000;
const host = 'iqn.1993-08.org.debian:01:one';
const labels = { user: 'user', project: 'project', size: '0', created: '1290000000000' };
const ids = Array.from({ length: count }, () => randomUUID());
const exported = ids.filter((_id, index) => index % 5 === 0);

function solaris(): Device {
  const device = new SolarisDevice('tank', 10_000 * 2 ** 30);
  const run = (...words: string[]) => {
    const { exitCode, stderr, stdout } = device.words(['pfexec', ...words]);
    if (exitCode !== 0) throw new Error(`${words.join(' ')}: ${stderr}`);
    return stdout;
  };
  for (const id of ids) {
    const property = `blockstore:labels=${new URLSearchParams({ id, ...labels }).toString()}`;
    run('zfs', 'create', '-s', '-V', '100M', '-o', property, `tank/volume-${id}`);
  }
  run('stmfadm', 'create-hg', `hg-${host}`);
  run('stmfadm', 'add-hg-member', '-g', `hg-${host}`, host);
  for (const id of exported) {
    const name = `iqn.2010-10.org.openstack:volume-${id}`;
    const made = run('stmfadm', 'create-lu', '-p', `serial=${id}`, `/dev/zvol/rdsk/tank/volume-${id}`);
    run('stmfadm', 'create-tg', `tg-volume-${id}`);
    run('stmfadm', 'add-tg-member', '-g', `tg-volume-${id}`, name);
    const guid = made.trim().split(' ').at(-1) ?? '';
    run('stmfadm', 'add-view', '-h', `hg-${host}`, '-t', `tg-volume-${id}`, '-n', '0', guid);
    run('itadm', 'create-target', '-n', name);
  }
  return device;
}

function lefthand(): Device {
  const device = new LefthandDevice();
  const run = (...words: string[]) => {
    const { exitCode, stdout } = device.words(words);
    if (exitCode !== 0) throw new Error(`${words.join(' ')}: ${stdout}`);
  };
  run('createServer', `serverName=${host}`, `initiator=${host}`);
  for (const id of ids) {
    const own = Object.entries(labels).map(([name, value]) => `,l.${name}:${value}`);
    const description = `description=blockstore,id:${id},node:n1${own.join('')}`;
    run('createVolume', 'clusterName=c1', `volumeName=volume-${id}`, 'size=100MB', 'thinProvision=1', description);
  }
  for (const id of exported) run('assignVolumeToServer', `volumeName=volume-${id}`, `serverName=${host}`);
  return device;
}

interface Kind {
  flags: Record<string, string>;
  device: Device;
  /** In the command by which each report reads the capacity, and in no other. */
  capacity: string;
  /** Commands of a report with its look at the exports. */
  perReport: number;
}

async function assertFewCommands(t: ExecutionContext, { flags: more, device, capacity, perReport }: Kind) {
  const server = await SshStandIn.start(device);
  const place = await CliPlace.start();
  const flags = {
    storage_name: 'n1',
    state_dir: place.file('state-n1'),
    redis_url: place.server.url,
    report_interval: '3',
    san_ip: '127.0.0.1',
    san_ssh_port: String(server.port),
    san_password: 'secret',
    san_accept_new_host_key: 'true',
    ...more,
  };
  let daemon: Blockstored | undefined;
  t.teardown(async () => {
    await daemon?.kill();
    await place.close();
    await server.stop();
  });
  const start = async () => {
    await daemon?.kill();
    server.lines.length = 0;
    daemon = await Blockstored.start(flags);
    const commands = server.lines.length;
    t.true(daemon.log.includes(`serves ${count} volumes`), daemon.log);
    return commands;
  };
  /** A machine that is held up for two seconds needs another list: one start of three has none. */
  const fewest = async (prepare: () => Promise<unknown>) => {
    const commands: number[] = [];
    while (commands.length < 3 && !commands.some((one) => one <= 10)) {
      await prepare();
      commands.push(await start());
    }
    t.true(Math.min(...commands) <= 10 && Math.max(...commands) <= 40, commands.join(', '));
    return commands.at(-1);
  };
  const { redis, keys } = await place.store();
  const withoutRecords = await fewest(() => redis.flushall());
  t.is(await redis.zcard(keys.nodeVolumes('n1')), count);
  const withRecords = await fewest(async () => {});
  const reports = 5;
  const times = () => server.lines.flatMap((line, index) => (line.includes(capacity) ? [index] : []));
  server.lines.length = 0;
  await until(() => times().length > reports, 'the reports');
  const [from = 0, to = 0] = [times()[0], times()[reports]];
  t.true(to - from <= perReport * (reports + 1), server.lines.join('\n'));
  t.log(
    `${withoutRecords} commands for records from storage, ${withRecords} for a start, ${(to - from) / reports} a report`,
  );
}

test.serial(
  'a daemon with 1,000 volumes of Solaris sends at most ten commands until it is ready, and eight a report',
  (t) =>
    assertFewCommands(t, {
      flags: { volume_driver: 'solaris', volume_target: 'solaris', san_zfs_volume_base: 'tank/' },
      device: solaris(),
      capacity: 'filesystem,volume,snapshot',
      perReport: 8,
    }),
);

test.serial(
  'a daemon with 1,000 volumes of LeftHand sends at most ten commands until it is ready, and three a report',
  (t) =>
    assertFewCommands(t, {
      flags: { volume_driver: 'lefthand', volume_target: 'lefthand', san_clustername: 'c1', iscsi_chap: 'false' },
      device: lefthand(),
      capacity: 'getClusterInfo',
      perReport: 3,
    }),
);
