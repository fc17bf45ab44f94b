import { shelfOf } from '../../lib/aoe/address.ts';
import { asError } from '../../lib/errors.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import { disagreements } from '../support/agreement.ts';
import { unrelated } from '../support/related.ts';
import { SimulatedClient } from './client.ts';
import { replaceIoBoundaries } from './io-boundaries.ts';
import { FakeRedis } from './fake-redis/server.ts';
import { Faults } from './faults.ts';
import { SimulatedHost } from './host.ts';
import { Invariants, unreadable } from './invariants.ts';
import type { MachineWorld, SharedStorage } from './machine.ts';
import { layoutOf, machinesOf, placesOn } from './machines.ts';
import { Model } from './model.ts';
import { storageOf } from './machine-storage.ts';
import { SimulatedNode } from './node.ts';
import { Random } from './random.ts';
import { Trace } from './trace.ts';
import type { Network } from './transport.ts';
import { VirtualTime } from './virtual-time.ts';

export interface Plan {
  seed: number;
  hours: number;
  /** Requests of each client in an hour. */
  requestsPerHour?: number;
  /** Makes a script wrong, to see whether that is noticed. */
  tamper?: (script: string) => string;
  /** Makes an export wrong, for the same reason. */
  tamperExport?: (spec: ExportSpec) => ExportSpec;
}

export interface Outcome {
  seed: number;
  hours: number;
  /** What did not hold; none when all is well. */
  violations: string[];
  /** Operations and faults, by kind. */
  counts: [string, number][];
  /** Times at which nothing was under way and everything was compared. */
  comparisons: number;
  fingerprint: string;
  /** The last of what happened. */
  last: string[];
}

const minute = 60_000;
const hour = 60 * minute;
const intervals = { reportS: 240, downS: 600 };
/** Every so many seeds have a Redis with a replica. */
const replicatedSeeds = 4;
/** Every so many seeds have many requests. */
const busySeeds = 3;
/** Part of the requests where nodes have two backends: what is lost of a migration shows most there. */
const moreMigrations = 0.15;
const names = ['n1', 'n2', 'n3'];
const mostVolumes = 30;

/** A cluster for some hours: the same for the same plan, whatever else the machine does. */
export async function simulate(plan: Plan): Promise<Outcome> {
  const time = new VirtualTime();
  try {
    return await new Simulation(plan, time).run();
  } finally {
    time.end();
  }
}

class Simulation {
  private readonly plan: Plan;
  private readonly time: VirtualTime;
  private readonly random: Random;
  private readonly trace: Trace;
  private readonly model = new Model();
  private readonly snapshots = new Model('snapshot');
  /** What is on the storage of all nodes, where they share one. */
  private readonly storage: SharedStorage = { stored: new Map(), snapshots: new Map() };
  private readonly nodes: SimulatedNode[];
  private readonly clients: SimulatedClient[];
  private readonly faults: Faults;
  private readonly invariants: Invariants;
  private redis: FakeRedis | undefined;
  private comparisons = 0;

  constructor(plan: Plan, time: VirtualTime) {
    this.plan = plan;
    this.time = time;
    this.random = new Random(plan.seed);
    this.trace = new Trace(() => time.now);
    const { random, trace, model, snapshots } = this;
    const cluster = { ...intervals, isReplicated: plan.seed % replicatedSeeds === 0 };
    const log = (who: string) => trace.log(who);
    const count = (what: string) => trace.count(what);
    const network: Network = new Map();
    this.nodes = names.map((name) => new SimulatedNode(this.machines(name), { random, cluster, network, log }));
    const hosts = [1, 2, 3].map((number) => new SimulatedHost(number));
    const isPaired = layoutOf(plan.seed) === 'paired';
    const places = isPaired ? names.flatMap(placesOn) : names;
    const migrations = isPaired ? moreMigrations : 0;
    this.clients = hosts.map((host, index) => {
      const name = `client${index + 1}`;
      const about = { random, cluster, model, snapshots, log: log(name), host, hosts, places, migrations, count };
      return new SimulatedClient(name, about);
    });
    const { nodes, clients } = this;
    const redis = () => this.server;
    this.invariants = new Invariants({
      nodes,
      hosts,
      model,
      snapshots,
      redis,
      isShared: this.isShared,
      onMove: () => count('volume taken over'),
    });
    this.faults = new Faults({
      random,
      trace,
      time,
      redis,
      nodes,
      clients,
      isReplicated: cluster.isReplicated,
      onRedisDate: () => this.invariants.clockSet(),
      downMs: intervals.downS * 1000,
    });
  }

  async run(): Promise<Outcome> {
    const { plan, time, faults, random, trace } = this;
    const { redis, bringBack } = await this.open();
    this.redis = redis;
    const thrown = (error: unknown) => {
      this.invariants.add(
        `something was thrown that nobody caught: ${error instanceof Error ? error.stack : String(error)}`,
      );
    };
    process.on('unhandledRejection', thrown);
    process.on('uncaughtException', thrown);
    try {
      for (const node of this.nodes) node.start();
      for (const client of this.clients) client.start();
      await time.pass(minute);
      const end = plan.hours * hour;
      while (time.now < end && !this.failed) {
        faults.begin();
        await this.chaos(Math.min(end - time.now, random.between(1, 6) * hour));
        faults.end();
        trace.add('', 'all is calm');
        if (!this.failed) await this.compare();
      }
    } catch (error) {
      thrown(error);
    } finally {
      process.off('unhandledRejection', thrown);
      process.off('uncaughtException', thrown);
      for (const one of [...this.nodes, ...this.clients]) one.end();
      await time.settle();
      bringBack();
    }
    return this.outcome();
  }

  private get server(): FakeRedis {
    if (!this.redis) throw new Error('Redis comes first');
    return this.redis;
  }

  private get failed(): boolean {
    return this.invariants.violations.length > 0;
  }

  private async open() {
    const { time, faults, invariants, random } = this;
    const begin = Date.now();
    const redis = await FakeRedis.start({
      now: () => begin + time.now + faults.redisAheadMs,
      delay: (owner) => faults.delay(owner),
      fate: (request) => faults.fate(request),
      tamper: this.plan.tamper ?? ((script) => script),
      onWritten: (owner, keys) => invariants.written(owner, keys),
      onGoneBack: (hadReplica) => invariants.goneBack(hadReplica),
      onStray: (owner, request) => invariants.strayed(owner, request),
    });
    return { redis, bringBack: replaceIoBoundaries({ random, connect: (owner) => redis.connect(owner) }) };
  }

  /** One for each backend. */
  private machines(name: string): SimulatedNode['machines'] {
    const world: MachineWorld = {
      latency: () => this.faults.latency(),
      fault: (what) => this.faults.effect(what),
      isDoubtful: (id) => this.model.known(id).doubtful,
      onRemove: (machine, id, unused) => this.invariants.removed(machine, id, unused),
      onRemoveSnapshot: (machine, id, of) => this.invariants.removedSnapshot(machine, id, of),
      tamper: this.plan.tamperExport ?? ((spec) => spec),
      onReceive: (from, to, sent) => this.invariants.received(from, to, sent),
      onUse: (machine, spec, version) => this.invariants.used(machine, spec, version),
      onExport: (machine, spec, owner) => this.invariants.exported(machine, spec, owner),
      wire: (machine) => this.wire(machine).filter(() => this.faults.arrives()),
    };
    return machinesOf(name, world, layoutOf(this.plan.seed), this.storage);
  }

  private get isShared(): boolean {
    return layoutOf(this.plan.seed) === 'shared';
  }

  /** What others answer a machine. */
  private wire(machine: string) {
    const others = this.nodes.filter((node) => node.name !== machine);
    const heard = others.flatMap((node) =>
      [...node.exports.values()].map(({ address }) => ({ address, host: node.name })),
    );
    const foreign = [...this.faults.foreignAddresses].map((address) => ({ address, host: 'somebody' }));
    return [...heard, ...foreign];
  }

  private async chaos(ms: number): Promise<void> {
    const { time, random, invariants } = this;
    const usual = this.plan.seed % busySeeds === 0 ? 50 : 8;
    const perHour = (this.plan.requestsPerHour ?? usual) * this.clients.length;
    const end = time.now + ms;
    while (time.now < end && !this.failed) {
      await time.pass(Math.min(random.waitMs(perHour / 2), end - time.now), () => this.failed);
      invariants.told();
      const together = random.chance(0.3) ? random.between(3, 8) : 1;
      for (let one = 0; one < together; one += 1) random.pick(this.clients)?.act(mostVolumes);
    }
  }

  /** Everything works again: after a while nothing is under way, and all fits together. */
  private async compare(): Promise<void> {
    const { time, invariants } = this;
    await time.pass(4 * intervals.downS * 1000, () => this.failed);
    await this.repairUnreadable();
    let found = await this.differences();
    for (let wait = 0; wait < 30 && (found.length > 0 || this.hasUndeleted()) && !this.failed; wait += 1) {
      this.deleteFailed();
      this.detachMisplaced();
      this.removeCopies();
      await time.pass(intervals.reportS * 1000, () => this.failed);
      found = await this.differences();
    }
    this.comparisons += 1;
    for (const difference of found) invariants.add(difference);
    invariants.settled();
  }

  /** A delete that a lost node was to carry out when it returned can fail there after it was acknowledged. */
  private hasUndeleted(): boolean {
    const isLeft = (key: string) => this.invariants.hash(key)?.get('status') === 'error_deleting';
    return (
      this.model.ids.some((id) => isLeft(`volume:${id}`)) || this.snapshots.ids.some((id) => isLeft(`snapshot:${id}`))
    );
  }

  /**
   * What failed is detached and deleted by who made it; nothing else is needed. Unless it was acknowledged: then something is
   * lost.
   */
  private deleteFailed(): void {
    for (const id of this.model.ids) {
      const record = this.invariants.hash(`volume:${id}`);
      const status = record?.get('status');
      if (status !== 'error' && status !== 'error_deleting') continue;
      this.invariants.kept(id);
      const client = this.random.pick(this.clients);
      if (record?.get('attachStatus') === 'attached') client?.detach(id);
      else client?.delete(id);
    }
    for (const id of this.snapshots.ids) {
      const status = this.invariants.hash(`snapshot:${id}`)?.get('status');
      if (status === 'error' || status === 'error_deleting') this.random.pick(this.clients)?.deleteSnapshot(id);
    }
  }

  /** What Redis lost may have cost an attached volume its shelf. It gets another address when it is attached again. */
  private detachMisplaced(): void {
    for (const id of this.model.ids) {
      const record = this.invariants.hash(`volume:${id}`);
      const address = record?.get('address');
      if (address === undefined || record?.get('attachStatus') !== 'attached') continue;
      const owner = this.invariants.hash('aoe:shelf-owners')?.get(String(shelfOf(address)));
      if (owner !== undefined && owner !== (record.get('lender') ?? record.get('node')))
        this.random.pick(this.clients)?.detach(id);
    }
  }

  /**
   * Redis may have lost that one node made a volume, and had another one make it: that copy is named by an audit, and removed by hand.
   * So is what a crash left half-made of a volume that Redis knows no more.
   */
  private removeCopies(): void {
    for (const machine of this.nodes.flatMap(({ machines }) => machines)) {
      const { name, backend } = machine;
      for (const [id, { whole, volume }] of machine.stored) {
        const record = this.invariants.hash(`volume:${id}`);
        const isHere = record?.get('node') === name && record.get('backend') === backend;
        const isCopy = !this.isShared && record?.has('node') === true && !isHere;
        // Of a migration that Redis has lost, and then of a volume that was deleted: whether it is needed is not known.
        const isOfMigration = !record && volume.labels['copy'] !== undefined && this.model.known(id).deleted;
        const isLeft = isCopy || isOfMigration || (!record && !whole);
        if (!this.model.known(id).doubtful || !isLeft) continue;
        this.trace.count(`by hand: ${isCopy ? 'second copy' : 'half-made storage'} removed`);
        if (machine.exports.get(id)?.path === machine.pathOf('volume', id)) machine.exports.delete(id);
        machine.stored.delete(id);
      }
      for (const [id, { whole, snapshot }] of machine.snapshots) {
        const known = this.snapshots.known(id);
        // Redis had lost its record when its volume was deleted.
        const isOrphan = !this.invariants.hash(`volume:${snapshot.volume.id}`);
        if (!known.doubtful || this.invariants.hash(`snapshot:${id}`) || (whole && !isOrphan)) continue;
        this.trace.count(`by hand: ${whole ? 'orphaned' : 'half-made'} storage of a snapshot removed`);
        known.deleteAsked = true;
        machine.snapshots.delete(id);
      }
    }
  }

  /** An audit names every record that cannot be read; then a person repairs them. */
  private async repairUnreadable(): Promise<void> {
    for (const key of this.server.database.keys.filter((one) => /:volume:[^:]+$/.test(one))) {
      const status = this.server.database.hash(key)?.get('status');
      if (status?.startsWith(unreadable) !== true) continue;
      const id = key.slice(key.lastIndexOf(':') + 1);
      const { name, isUp } =
        this.nodes.find((one) => one.name === this.invariants.hash(`volume:${id}`)?.get('node')) ?? {};
      const findings =
        name !== undefined && isUp === true ? await this.asClient((client) => client.findings(name)) : undefined;
      const isReported = findings?.some(
        (finding) => finding === `volume ${id} has an unusable record: has status "${status}"`,
      );
      if (isReported === false)
        this.invariants.add(`no audit names volume ${id}, whose record cannot be read: ${findings?.join(', ')}`);
      this.trace.count(`unreadable record ${isReported === true ? 'named, ' : ''}repaired`);
      this.server.edit(key, 'status', status.slice(unreadable.length));
    }
  }

  /** What a client gets within ten minutes; undefined where it fails. */
  private async asClient<T>(work: (client: SimulatedClient) => Promise<T>): Promise<T | undefined> {
    const [client] = this.clients;
    let isOver = false;
    let result: T | undefined;
    client?.process.run(() => {
      void work(client)
        .then(
          (value) => (result = value),
          (error: unknown) => this.trace.add(client.process.name, `has not: ${asError(error).message}`),
        )
        .finally(() => (isOver = true));
    });
    await this.time.pass(10 * minute, () => isOver);
    return result;
  }

  private async differences(): Promise<string[]> {
    const down = this.nodes.filter((node) => !node.isUp).map(({ name }) => `node ${name} is down`);
    if (down.length > 0) return down;
    const owner = (id: string) => this.invariants.hash(`volume:${id}`)?.get('node');
    const storages = this.nodes.map((node, index) => {
      const storage = storageOf(node);
      // Of shared storage a node has what is its own; what is nobody's counts once.
      const isOwn = ({ id }: { id: string }) => (owner(id) ?? names[0]) === node.name;
      if (!this.isShared) return storage;
      const leftovers = index === 0 ? (storage.leftovers ?? []) : [];
      const volumes = storage.volumes.filter(isOwn);
      const snapshots = storage.snapshots?.filter(({ volumeId }) => isOwn({ id: volumeId })) ?? [];
      return { node: node.name, volumes, snapshots, leftovers };
    });
    const found = await this.asClient(
      async ({ store }) => store && [...(await disagreements(store, storages)), ...(await unrelated(store))],
    );
    return found ?? ['nothing could be compared'];
  }

  private outcome(): Outcome {
    const { plan, trace, comparisons, time, invariants } = this;
    const [first] = invariants.violations;
    const id = /[0-9a-f-]{36}/.exec(first ?? '')?.[0];
    const last = first === undefined ? [] : [...trace.last(), ...(id === undefined ? [] : ['', ...trace.last(id)])];
    const counts = [...trace.counts].toSorted(([one], [other]) => (one < other ? -1 : 1));
    const { violations } = invariants;
    return {
      seed: plan.seed,
      hours: time.now / hour,
      violations,
      counts,
      comparisons,
      fingerprint: trace.fingerprint(),
      last,
    };
  }
}
