import { setTimeout as pause } from 'node:timers/promises';
import { LabNetwork } from '../network.ts';
import type { LabSentinels } from '../sentinels.ts';
import type { StorageCluster } from '../storage-cluster.ts';
import type { Journal } from './journal.ts';
import type { Random } from './random.ts';

/** A fault that lasts for a while and has ended when `run` resolves. */
export interface Fault {
  kind: string;
  run: (seconds: number) => Promise<void>;
  /** Its duration. */
  least: number;
  most: number;
}

const daemonPid = `$(pgrep -o -f 'node.*bin/blockstored\\.mjs')`;

/** Faults of a storage node. `keep` receives the daemon's log, which a power loss would take. */
export function nodeFaults(
  cluster: StorageCluster,
  number: number,
  random: Random,
  keep: (log: string) => Promise<void>,
): Fault[] {
  const node = cluster.node(number);
  const last = async (ms: number) => pause(ms * 1000);
  return [
    { kind: 'daemon killed', least: 0, most: 0, run: async () => void (await node.run(`kill -9 ${daemonPid}`)) },
    {
      kind: 'daemon stopped and continued',
      least: 12,
      most: 20,
      run: async (seconds) => {
        await node.run(`kill -STOP ${daemonPid}`);
        await last(seconds);
        await node.run(`kill -CONT ${daemonPid}`);
      },
    },
    {
      kind: 'power lost',
      least: 0,
      most: 15,
      run: async (seconds) => {
        await keep(await cluster.daemon(number).log());
        await node.powerOff();
        await last(seconds);
        await cluster.bootAgain(number);
        await cluster.startDaemon(number);
      },
    },
    {
      kind: 'cut off from all',
      least: 3,
      most: 30,
      run: async (seconds) => {
        await node.partition();
        await last(seconds);
        await node.heal();
      },
    },
    {
      kind: 'cut off from Redis',
      least: 3,
      most: 30,
      run: async (seconds) => {
        const route = `blackhole ${LabNetwork.hostAddress}/32`;
        await node.sh(`ip route add ${route}`);
        await last(seconds);
        await node.sh(`ip route del ${route}`);
      },
    },
    {
      // Not longer: such late replies make the Linux initiator wait for minutes before it repeats lost requests.
      kind: 'machine hung',
      least: 1,
      most: 6,
      run: async (seconds) => {
        node.pause();
        await last(seconds);
        node.resume();
      },
    },
    {
      kind: 'vblade killed',
      least: 0,
      most: 0,
      run: async () => {
        const vblades = await cluster.vblades(number);
        if (vblades.length > 0) await node.run(`kill -9 ${random.pick(vblades).split(' ')[0]}`);
      },
    },
    { kind: 'all vblades killed', least: 0, most: 0, run: async () => void (await node.run('pkill -9 -x vblade')) },
  ];
}

/** Faults of Redis. Each ends with both in sync: one replica does not cover two faults at once. */
export function redisFaults(sentinels: LabSentinels): Fault[] {
  const replica = async () => {
    const primary = await sentinels.primary();
    return sentinels.servers[0] === primary ? sentinels.servers[1] : sentinels.servers[0];
  };
  return [
    {
      kind: 'Redis primary killed',
      least: 8,
      most: 20,
      run: async (seconds) => {
        const primary = await sentinels.primary();
        await primary.kill();
        await pause(seconds * 1000);
        await primary.start();
        await sentinels.whole();
      },
    },
    {
      kind: 'Redis primary hung',
      least: 1,
      most: 12,
      run: async (seconds) => {
        const primary = await sentinels.primary();
        primary.pause();
        await pause(seconds * 1000);
        primary.resume();
        await sentinels.whole();
      },
    },
    {
      kind: 'Redis replica killed',
      least: 1,
      most: 10,
      run: async (seconds) => {
        const other = await replica();
        await other.kill();
        await pause(seconds * 1000);
        await other.start();
        await sentinels.whole();
      },
    },
  ];
}

/** Faults of the Ethernet between the machines, while all of them reach Redis. */
export function networkFaults(network: LabNetwork): Fault[] {
  return [
    {
      kind: 'storage network down',
      least: 2,
      most: 20,
      run: async (seconds) => {
        await network.isolate(true);
        await pause(seconds * 1000);
        await network.isolate(false);
      },
    },
  ];
}

/** Injects one fault after the other, with pauses, until the time is over; none remains then. */
export async function breakThings(options: {
  where: string;
  faults: readonly Fault[];
  random: Random;
  journal: Journal;
  /** Seconds between two faults. */
  pauses: readonly [number, number];
  isOver: () => boolean;
}): Promise<void> {
  const { where, faults, random, journal, pauses, isOver } = options;
  for (;;) {
    for (let left = random.between(...pauses); left > 0 && !isOver(); left -= 1) await pause(Math.min(left, 1) * 1000);
    if (isOver()) return;
    const fault = random.pick(faults);
    const seconds = random.between(fault.least, fault.most);
    journal.fault(fault.kind, where);
    try {
      await fault.run(seconds);
    } catch (error) {
      journal.violation(`${where} is not whole again after "${fault.kind}": ${String(error)}`);
      return;
    }
    if (fault.most > 0) journal.note(`${where}: whole again after ${seconds.toFixed(1)} s`);
  }
}
