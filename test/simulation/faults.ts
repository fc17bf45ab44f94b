import { BlockstoreError, errors } from '../../lib/errors.ts';
import type { FakeRedis } from './fake-redis/server.ts';
import type { SimulatedClient } from './client.ts';
import { unreadable } from './invariants.ts';
import { type SimulatedNode, shelves } from './node.ts';
import type { Random } from './random.ts';
import type { Trace } from './trace.ts';
import type { VirtualProcess } from './virtual-process.ts';
import type { VirtualTime } from './virtual-time.ts';

export interface FaultWorld {
  random: Random;
  trace: Trace;
  time: VirtualTime;
  redis: () => FakeRedis;
  nodes: readonly SimulatedNode[];
  clients: readonly SimulatedClient[];
  isReplicated: boolean;
  /** Called when the clock of Redis was set. */
  onRedisDate: () => void;
  /** Longer than a node that reports nothing stays up, in milliseconds. */
  downMs: number;
}

interface Kind {
  name: string;
  perHour: number;
  happen: () => void;
}

const longestCutMs = 240_000;

/** Everything that goes wrong, and when. */
export class Faults {
  private readonly world: FaultWorld;
  private on = false;
  private generation = 0;
  /** Until when nothing passes between a process and Redis. */
  private readonly cut = new Map<VirtualProcess, number>();
  private readonly foreign = new Set<string>();
  /** How far its clock was set ahead, in milliseconds. */
  redisAheadMs = 0;

  constructor(world: FaultWorld) {
    this.world = world;
  }

  /** AoE addresses of somebody else's targets. */
  get foreignAddresses(): ReadonlySet<string> {
    return this.foreign;
  }

  begin(): void {
    this.on = true;
    this.generation += 1;
    for (const kind of this.kinds()) this.plan(kind, this.generation);
  }

  /** From now on everything works, and who was paused goes on. */
  end(): void {
    this.on = false;
    this.cut.clear();
    this.foreign.clear();
    if (this.world.isReplicated) this.world.redis().replicaAway = false;
    this.world.redis().isSelectRefused = false;
    for (const node of this.world.nodes) node.resume();
  }

  /** How long a request or an answer is under way. */
  delay(owner: VirtualProcess): number {
    const { random } = this.world;
    const usual = this.on && random.chance(0.01) ? random.between(20, 3000) : random.between(0, 2);
    return Math.max(usual, (this.cut.get(owner) ?? 0) - performance.now());
  }

  /** What becomes of a request to Redis. */
  fate(request: readonly string[]): 'answered' | 'carried out' | 'lost' {
    const { random, trace } = this.world;
    if (!this.on || !request[0]?.toUpperCase().startsWith('EVAL') || !random.chance(0.01)) return 'answered';
    const fate = random.chance(0.7) ? 'carried out' : 'lost';
    trace.count(`fault: request ${fate}, connection broken`);
    return fate;
  }

  /** What becomes of something a driver or target does. */
  effect(what: string): { error: Error; after: boolean } | undefined {
    const { random, trace } = this.world;
    if (!this.on || !random.chance(0.03)) return undefined;
    const passing = random.chance(0.7);
    trace.count(`fault: ${what} fails${passing ? '' : ' for good'}`);
    const error = passing ? passingError(what) : finalError(what);
    return { error, after: random.chance(0.5) };
  }

  /** Whether an answer on the wire arrives; nobody notices one that does not. */
  arrives(): boolean {
    const { random, trace } = this.world;
    if (!this.on || !random.chance(0.02)) return true;
    trace.count('fault: answer lost on the wire');
    return false;
  }

  latency(): number {
    const { random } = this.world;
    return this.on && random.chance(0.05) ? random.between(1000, 60_000) : random.between(1, 300);
  }

  private kinds(): Kind[] {
    const { random, time, redis, downMs, isReplicated } = this.world;
    const node = (work: (node: SimulatedNode) => void) => () => {
      const found = random.pick(this.world.nodes);
      if (found?.isUp) work(found);
    };
    const soon = () => random.between(500, 20_000);
    const long = () => random.between(1000, random.chance(0.3) ? 2 * downMs : 30_000);
    return [
      { name: 'daemon killed', perHour: 2, happen: node((one) => one.kill(soon())) },
      { name: 'daemon stopped', perHour: 0.6, happen: node((one) => one.stop(40_000 + soon())) },
      { name: 'power lost', perHour: 0.6, happen: node((one) => one.losePower(long())) },
      { name: 'node lost', perHour: 0.2, happen: node((one) => this.lose(one)) },
      { name: 'node paused', perHour: 1, happen: node((one) => this.pause(one, long())) },
      { name: 'node paused and lost', perHour: 0.2, happen: node((one) => this.pauseAndLose(one)) },
      { name: 'node paused and its name taken', perHour: 0.2, happen: node((one) => this.pauseAndReplace(one)) },
      { name: 'node cut off', perHour: 1, happen: node((one) => this.cutOff(one.current, long())) },
      {
        name: 'client cut off',
        perHour: 0.4,
        happen: () => this.cutOff(random.pick(this.world.clients)?.process, long()),
      },
      {
        name: 'Redis restarted',
        perHour: 0.6,
        happen: () => redis().restart(random.between(100, 20_000), soon() / 10),
      },
      { name: 'Redis lost its last changes', perHour: 0.3, happen: () => this.loseChanges() },
      ...(isReplicated
        ? [{ name: 'replica away', perHour: 1, happen: () => this.loseReplica(random.between(1000, 1_200_000)) }]
        : []),
      { name: 'database refused', perHour: 0.3, happen: () => this.refuseDatabase(long()) },
      { name: 'Redis emptied', perHour: 0.05, happen: () => redis().empty() },
      { name: 'Redis stalled', perHour: 0.6, happen: () => redis().stall(random.between(100, 30_000)) },
      { name: 'date set', perHour: 0.4, happen: () => time.jump(random.between(-86_400_000, 86_400_000)) },
      { name: 'date of Redis set', perHour: 0.2, happen: () => this.setRedisDate(random.between(-300_000, 300_000)) },
      { name: 'node name taken by another', perHour: 0.6, happen: () => this.impersonate() },
      { name: 'export died', perHour: 2, happen: node((one) => this.endExport(one)) },
      { name: 'address taken by others', perHour: 0.6, happen: () => this.occupy() },
      { name: 'audit', perHour: 1, happen: () => this.audit() },
      { name: 'record made unreadable', perHour: 0.1, happen: () => this.makeUnreadable() },
    ];
  }

  private plan(kind: Kind, generation: number): void {
    const { random, trace } = this.world;
    setTimeout(() => {
      if (generation !== this.generation || !this.on) return;
      trace.count(`fault: ${kind.name}`);
      trace.add('fault', kind.name);
      kind.happen();
      this.plan(kind, generation);
    }, random.waitMs(kind.perHour));
  }

  private later(ms: number, work: () => void): void {
    const { generation } = this;
    setTimeout(() => {
      if (generation === this.generation && this.on) work();
    }, ms);
  }

  private pause(node: SimulatedNode, ms: number): void {
    node.pause();
    this.later(ms, () => node.resume());
  }

  /** An operator gives up a node that reports nothing. Its machine comes back later. */
  private lose(node: SimulatedNode): void {
    const { downMs } = this.world;
    node.losePower(3 * downMs);
    this.later(2 * downMs, () => this.giveUp(node));
  }

  /** The same for one that still runs, and finds out. */
  private pauseAndLose(node: SimulatedNode): void {
    const { downMs } = this.world;
    node.pause();
    this.later(2 * downMs, () => this.giveUp(node));
    this.later(3 * downMs, () => node.resume());
  }

  /** Another daemon takes the name of one that still runs, and finds out. */
  private pauseAndReplace(node: SimulatedNode): void {
    const { downMs } = this.world;
    node.pause();
    this.later(1.5 * downMs, () => this.impersonate(node));
    this.later(2 * downMs, () => node.resume());
  }

  private impersonate(node = this.world.random.pick(this.world.nodes)): void {
    if (node) this.world.random.pick(this.world.clients)?.impersonate(node.name);
  }

  /** A crash without fsync, a failover to a replica that lagged, a restart from a snapshot. */
  private loseChanges(): void {
    const { random, redis, isReplicated } = this.world;
    if (isReplicated) {
      redis().failOver(random.between(100, 20_000));
      return;
    }
    const copy = redis().database.copy();
    const lostMs = random.chance(0.5) ? random.between(10, 3000) : random.between(3000, 600_000);
    this.later(lostMs, () => redis().restart(random.between(100, 20_000), random.between(50, 2000), copy));
  }

  /** Redis restarts with a configuration that has fewer databases, and later with the right one. */
  private refuseDatabase(ms: number): void {
    const { redis } = this.world;
    redis().isSelectRefused = true;
    redis().restart(1000, 100);
    this.later(ms, () => (redis().isSelectRefused = false));
  }

  private loseReplica(ms: number): void {
    const { redis } = this.world;
    redis().replicaAway = true;
    this.later(ms, () => (redis().replicaAway = false));
  }

  /** Of a node that may be dying. */
  private audit(): void {
    const { random, nodes, clients } = this.world;
    const node = random.pick(nodes);
    if (!node) return;
    random.pick(clients)?.audit(node.name, { repair: random.chance(0.5) });
    if (random.chance(0.5))
      this.later(random.between(0, 2000), () => node.isUp && node.kill(random.between(500, 20_000)));
  }

  /** A newer version, or a hand, gives a record a status that this version does not know. */
  private makeUnreadable(): void {
    const { random, redis } = this.world;
    const { database } = redis();
    const found = database.keys.filter((key) => {
      const record = /:volume:[^:]+$/.test(key) ? database.hash(key) : undefined;
      return record?.has('task') === false;
    });
    const key = random.pick(found);
    const status = key === undefined ? undefined : database.hash(key)?.get('status');
    if (key === undefined || status === undefined || status.startsWith(unreadable)) return;
    redis().edit(key, 'status', unreadable + status);
  }

  private setRedisDate(ms: number): void {
    this.redisAheadMs += ms;
    this.world.onRedisDate();
  }

  private giveUp(node: SimulatedNode): void {
    this.world.random.pick(this.world.clients)?.lose(node.name);
  }

  private cutOff(process: VirtualProcess | undefined, ms: number): void {
    if (process) this.cut.set(process, performance.now() + Math.min(ms, longestCutMs));
  }

  private endExport({ exports }: SimulatedNode): void {
    const id = this.world.random.pick([...exports.keys()]);
    if (id !== undefined) exports.delete(id);
  }

  /** Somebody's target begins to answer at an address that no export has. */
  private occupy(): void {
    const { random, nodes } = this.world;
    const address = `e${random.between(shelves.first, shelves.last)}.${random.between(0, shelves.slots - 1)}`;
    const used = nodes.some(({ exports }) => [...exports.values()].some((one) => one.address === address));
    if (used) return;
    this.foreign.add(address);
    this.later(random.between(60_000, 7_200_000), () => this.foreign.delete(address));
  }
}

function passingError(what: string): BlockstoreError {
  if (what === 'discover') return errors.discoveryIncomplete('eth0', 'simulated');
  return errors.lvmFailed(what, 'simulated');
}

function finalError(what: string): BlockstoreError {
  return new BlockstoreError('CommandNotFound', 'failed', `${what}: simulated`);
}
