import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { errors } from '../errors.ts';
import type { ScriptAnswer, Store } from '../redis/store.ts';
import { BasicModel, type Hash } from './basic-model.ts';
import { type LeaseAnswer, type LeaseOptions, takeLease } from './lease.ts';
import { attachment } from './transitions.ts';
import type { Owner } from './volume.ts';

/** What a node last said of itself. Sizes in bytes, times in milliseconds since the epoch. */
export interface NodeState {
  /** Its name: the identifier of a node. */
  id: string;
  /** up: heard of within node_down_time; lost: declared so; stopped: its daemon said good-bye; down: none of these. */
  state: 'up' | 'down' | 'stopped' | 'lost';
  availabilityZone: string;
  version: string;
  driver: string;
  target: string;
  totalBytes: number;
  freeBytes: number;
  volumes: number;
  /** Volumes that it still has something to do to. */
  pending: number;
  /** AoE numbers that it can give out without claiming another shelf. */
  freeNumbers: number;
  shelves: readonly number[];
  reportTime: number | undefined;
  startTime: number | undefined;
  /** What it could not mend by itself, each one line. */
  problems: readonly string[];
}

type Described = 'availabilityZone' | 'version' | 'driver' | 'target' | 'totalBytes' | 'freeBytes';

/** Fields of a node's report; counts and times are added where they are stored. */
export type NodeReport = Pick<NodeState, Described> & {
  startTime: number;
  /** One a line. */
  problems: string;
};

/** The AoE number "shelf.slot" that a volume of this node has on its storage, or is exported as (`running`). */
export interface OwnNumber {
  number: string;
  id: string;
  running: boolean;
}

/** AoE numbers that were seen in use. */
export interface SeenNumbers {
  /** "shelf.slot", with who uses it. */
  others: ReadonlyMap<string, string>;
  /** Where this node has looked at its own: those, and its Ethernet addresses. */
  own: { addresses: readonly string[]; numbers: readonly OwnNumber[] } | undefined;
}

const numberFaults = ['lost', 'free too', 'foreign', 'twice'] as const;
export type NumberFault = (typeof numberFaults)[number];

/** A node. Its name is a lease: the daemon that entered last holds it, and every change made for the node presents its fence. */
export class Node extends BasicModel<NodeState> {
  private readonly lease: LeaseOptions | undefined;
  private fence: string;
  private readonly incarnation: string;
  private report: NodeReport | undefined;
  private overdueMs = 0;
  private overdueIds: readonly string[] = [];

  private constructor(
    store: Store,
    state: NodeState,
    isNewRecord: boolean,
    lease?: LeaseOptions,
    fence = '',
    incarnation = '',
  ) {
    super(store, state, isNewRecord);
    this.lease = lease;
    this.fence = fence;
    this.incarnation = incarnation;
  }

  static defaultState(name: string): NodeState {
    return parseNode(name, {}, false, {});
  }

  /** Takes the node's name for this daemon. Throws NodeNameTaken, MachineCloned. */
  static async enter(store: Store, lease: LeaseOptions): Promise<Node> {
    const incarnation = randomUUID().slice(0, 8);
    const token = await takeLease(lease, async (holder): Promise<LeaseAnswer> => {
      const [word, first = '', leftMs = '0'] = await takeName(store, { ...lease, holder }, incarnation, '');
      return word === 'ok' ? { word, token: first } : { word: 'NodeNameTaken', holder: first, leftMs: Number(leftMs) };
    });
    return new Node(store, Node.defaultState(lease.name), true, lease, token, incarnation);
  }

  /**
   * Takes the name that this daemon held once more, where Redis has lost that. Throws Fenced where another daemon holds it or
   * has held it since, and where the node was declared lost.
   */
  async enterAgain(): Promise<void> {
    const { lease } = this;
    if (!lease) throw new Error(`node ${this.identifier} is not held by this daemon`);
    const [word, fence = ''] = await takeName(this.store, lease, this.incarnation, this.fence);
    if (word !== 'ok') throw errors.fenced(this.identifier);
    this.fence = fence;
  }

  /** Throws NodeNotFound. */
  static async lookup(store: Store, name: string): Promise<Node> {
    return Node.read(store, name, await store.read((redis) => redis.hgetall(store.keys.shelves())));
  }

  /** Every node that ever entered, in order of the first time. */
  static async all(store: Store): Promise<Node[]> {
    const [names, shelves] = await store.read((redis) =>
      Promise.all([redis.zrange(store.keys.nodes(), '0', '-1'), redis.hgetall(store.keys.shelves())]),
    );
    return Promise.all(names.map((name) => Node.read(store, name, shelves)));
  }

  /**
   * Declares that the node will not be back soon: its volumes say so and hold up nobody, until it enters again. Returns how
   * many they are. Throws NodeNotFound, NodeUp.
   */
  static async lose(store: Store, name: string, topic: string): Promise<number> {
    const fault = JSON.stringify(errors.nodeLost(name).toFault());
    const [word, volumes] = await store.run('lose', name, JSON.stringify({ topic, fault, unset: attachment }));
    if (word === 'NodeNotFound') throw errors.noNode(name);
    if (word === 'NodeUp') throw errors.nodeUp(name);
    return Number(volumes);
  }

  private static async read(store: Store, name: string, shelves: Hash): Promise<Node> {
    const [hash, up] = await store.read((redis) =>
      Promise.all([redis.hgetall(store.keys.node(name)), redis.exists(store.keys.lease(name))]),
    );
    if (Object.keys(hash).length === 0) throw errors.noNode(name);
    return new Node(store, parseNode(name, hash, up === 1, shelves), false);
  }

  /** What a change made for this node presents. */
  get owner(): Owner {
    return { node: this.identifier, fence: this.fence };
  }

  /** The next save carries this report. */
  describe(report: NodeReport, overdueMs: number): void {
    this.report = report;
    this.overdueMs = overdueMs;
  }

  /** Volumes of this node that the last save found in a transitional status for longer than `overdueMs`. */
  get overdue(): readonly string[] {
    return this.overdueIds;
  }

  /** Heartbeat: the lease goes on, the report is written. Throws Fenced. */
  override async save(): Promise<void> {
    const { lease } = this;
    if (!lease) throw new Error(`node ${this.identifier} is not held by this daemon`);
    // Lua would write a number of bytes from 91 TiB on with 14 digits alone.
    const fields = JSON.stringify(this.report ?? {}, (_, value: unknown) =>
      typeof value === 'number' ? String(value) : value,
    );
    const answer = await this.store.run(
      'report',
      lease.name,
      this.fence,
      lease.holder,
      lease.leaseMs,
      this.overdueMs,
      fields,
    );
    this.refuseFenced(answer);
    this.overdueIds = answer.slice(1);
  }

  /** The daemon stops: the node is shown as stopped, its name is free at once. Its record stays. Throws Fenced. */
  override async destroy(): Promise<void> {
    this.refuseFenced(await this.store.run('leave', this.identifier, this.fence));
  }

  /**
   * Keeps back AoE numbers that are seen in use although no record has them, and gives free those that no longer are; `whole`
   * makes the free numbers of this node anew from the records. Returns numbers newly kept back for others, and how many are kept
   * for own volumes. Throws Fenced.
   */
  async observe(seen: SeenNumbers, slots: number, whole: boolean): Promise<{ fresh: string[]; kept: number }> {
    const request = { ...seen, others: Object.fromEntries(seen.others) };
    const args = [this.identifier, this.fence, slots, JSON.stringify(request), whole ? 'whole' : ''];
    const answer = await this.store.run('observe', ...args);
    this.refuseFenced(answer);
    const [, kept, ...fresh] = answer;
    return { fresh, kept: Number(kept) };
  }

  /**
   * AoE numbers of this node that are not in exactly one place, and how; `repair` puts those right that can be. Throws Fenced.
   */
  async checkNumbers(slots: number, repair: boolean): Promise<[string, NumberFault][]> {
    const answer = await this.store.run('numbers', this.identifier, this.fence, slots, repair ? 'repair' : '');
    this.refuseFenced(answer);
    return z.array(z.tuple([z.string(), z.enum(numberFaults)])).parse(inPairs(answer.slice(1)));
  }

  private refuseFenced(answer: ScriptAnswer): void {
    if (answer[0] === 'Fenced') throw errors.fenced(this.identifier);
  }
}

function takeName(
  store: Store,
  { name, holder, leaseMs, topic }: LeaseOptions,
  incarnation: string,
  before: string,
): Promise<ScriptAnswer> {
  return store.run('enter', name, holder, leaseMs, topic, incarnation, before);
}

function stateOf(hash: Hash, up: boolean): NodeState['state'] {
  if (up) return 'up';
  if (hash['lost'] !== undefined) return 'lost';
  return hash['stopTime'] === undefined ? 'down' : 'stopped';
}

function parseNode(name: string, hash: Hash, up: boolean, shelves: Hash): NodeState {
  const number = (field: string) => Number(hash[field] ?? 0);
  const time = (field: string) => (hash[field] === undefined ? undefined : Number(hash[field]));
  return {
    id: name,
    state: stateOf(hash, up),
    availabilityZone: hash['availabilityZone'] ?? '',
    version: hash['version'] ?? '',
    driver: hash['driver'] ?? '',
    target: hash['target'] ?? '',
    totalBytes: number('totalBytes'),
    freeBytes: number('freeBytes'),
    volumes: number('volumes'),
    pending: number('pending'),
    freeNumbers: number('freeNumbers'),
    shelves: Object.entries(shelves)
      .filter(([, owner]) => owner === name)
      .map(([shelf]) => Number(shelf))
      .toSorted((one, other) => one - other),
    reportTime: time('reportTime'),
    startTime: time('startTime'),
    problems: hash['problems'] ? hash['problems'].split('\n') : [],
  };
}

function inPairs(flat: readonly string[]): string[][] {
  return Array.from({ length: flat.length / 2 }, (_, index) => flat.slice(2 * index, 2 * index + 2));
}
