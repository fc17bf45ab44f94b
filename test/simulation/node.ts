import { asError } from '../../lib/errors.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import { type Connection, connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import { BlockStore } from '../../services/node/block-store.ts';
import { databaseNumber } from './fake-redis/server.ts';
import { redisSocket } from './io-boundaries.ts';
import type { FakeMachine } from './machine.ts';
import type { Random } from './random.ts';
import { FakeTransport, type Network } from './transport.ts';
import { VirtualProcess, outside } from './virtual-process.ts';

/** Nobody gives a shelf back: enough for nodes that find their volumes again when others have taken theirs. */
export const shelves = { first: 1, last: 16, slots: 4 };

/** How long Redis takes a machine without power for one that says nothing. */
const silentMs = 60_000;

/** What all nodes and clients of a simulated cluster have in common. */
export interface Cluster {
  reportS: number;
  downS: number;
  /** Whether changes wait for a replica. */
  isReplicated: boolean;
}

export function simulatedFlags(name: string, cluster: Cluster): Flags {
  return loadFlags({
    embedded: {
      storage_name: name,
      redis_url: `unix:${redisSocket}?db=${databaseNumber}`,
      report_interval: String(cluster.reportS),
      node_down_time: String(cluster.downS),
      state_dir: `/simulated/${name}`,
      first_shelf_id: String(shelves.first),
      last_shelf_id: String(shelves.last),
      slots_per_shelf: String(shelves.slots),
      redis_min_replicas: cluster.isReplicated ? '1' : '0',
    },
  }).flags;
}

/** A storage node: its machine, and its daemon, which something like systemd starts again whenever it ends. */
export class SimulatedNode {
  readonly name: string;
  /** One for each backend. */
  readonly machines: readonly [FakeMachine, ...FakeMachine[]];
  private readonly options: {
    random: Random;
    cluster: Cluster;
    network: Network;
    log: (who: string) => Log;
  };
  private process: VirtualProcess | undefined;
  private block: BlockStore | undefined;
  private starts = 0;
  private shouldRun = true;

  constructor(machines: SimulatedNode['machines'], options: SimulatedNode['options']) {
    this.name = machines[0].name;
    this.machines = machines;
    this.options = options;
  }

  /** On the wire, from all its backends. */
  get exports(): Map<string, ExportSpec> {
    return this.machines[0].exports;
  }

  /** Whether its daemon serves. */
  get isUp(): boolean {
    return this.block !== undefined && !this.process?.isPaused;
  }

  /** Its daemon, while there is one. */
  get current(): VirtualProcess | undefined {
    return this.process;
  }

  /** Whether that process is this node's daemon. */
  runs(process: VirtualProcess): boolean {
    return process.name.startsWith(`${this.name}#`);
  }

  start(): void {
    this.shouldRun = true;
    this.starts += 1;
    const process = new VirtualProcess(`${this.name}#${this.starts}`);
    this.process = process;
    process.run(() => void this.live(process));
  }

  /** It dies between any two things that it does; `restartMs` later another one begins. */
  kill(restartMs: number, unnoticedMs = 0): void {
    this.process?.die(unnoticedMs);
    this.over(this.process, restartMs);
  }

  losePower(restartMs: number): void {
    for (const machine of this.machines) machine.losePower();
    this.kill(restartMs, silentMs);
  }

  /** No daemon runs here any more. */
  end(): void {
    this.shouldRun = false;
    this.process?.die();
  }

  pause(): void {
    this.process?.pause();
  }

  resume(): void {
    this.process?.resume();
  }

  /** It is asked to stop, as by systemd. */
  stop(restartMs: number): void {
    const { process, block } = this;
    if (!process || !block) return;
    this.shouldRun = false;
    process.run(
      () =>
        void block
          .stop()
          .catch(() => undefined)
          .finally(() => this.ended(process)),
    );
    outside(() => {
      if (!this.shouldRun) {
        this.ended(process);
        this.start();
      }
    }, restartMs);
  }

  private async live(process: VirtualProcess): Promise<void> {
    const { cluster, log, random } = this.options;
    const own = log(process.name);
    let connection: Connection | undefined;
    try {
      const flags = simulatedFlags(this.name, cluster);
      connection = await connect(flags, own);
      const store = new Store(connection, flags.redis_prefix, { minReplicas: flags.redis_min_replicas });
      const fenced = Promise.withResolvers<void>();
      const block = new BlockStore({
        flags,
        holder: `machine of ${this.name}`,
        store,
        backends: this.machines.map(({ backend, driver, target }) => ({ name: backend, driver, target })),
        log: own,
        transport: new FakeTransport(this.machines, this.options.network),
        onFenced: () => fenced.resolve(),
        everySecond: (tick) => every(cluster.reportS * 1000, random, tick),
      });
      await block.start();
      this.block = block;
      own.info('ready');
      await fenced.promise;
      await block.stop();
    } catch (error) {
      own.info(`ended: ${asError(error).message}`);
    }
    this.ended(process);
  }

  private ended(process: VirtualProcess): void {
    process.die();
    this.over(process, this.options.random.between(1000, 10_000));
  }

  private over(process: VirtualProcess | undefined, restartMs: number): void {
    if (process !== this.process) return;
    this.process = undefined;
    this.block = undefined;
    if (!this.shouldRun) return;
    outside(() => {
      if (!this.process && this.shouldRun) this.start();
    }, restartMs);
  }
}

/** In place of a clock that ticks every second: the product only looks whether the interval is over. */
function every(ms: number, random: Random, tick: () => Promise<void>) {
  let timer: NodeJS.Timeout | undefined;
  let running = false;
  const next = () => {
    timer = setTimeout(() => {
      next();
      if (running) return;
      running = true;
      void tick().finally(() => {
        running = false;
      });
    }, ms + random.between(0, 900));
  };
  next();
  return { destroy: () => clearTimeout(timer) };
}
