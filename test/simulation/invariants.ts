import type { FakeRedis } from './fake-redis/server.ts';
import type { Facts, Model } from './model.ts';
import type { SimulatedNode } from './node.ts';
import type { VirtualProcess } from './virtual-process.ts';

const prefix = '{blockstore}:';

interface Lease {
  holder: string;
  end: number;
}

/** What must hold at any moment. It looks at Redis' own data and at the machines, and asks none of the product's code. */
export class Invariants {
  readonly violations: string[] = [];
  private readonly fences = new Map<string, string | undefined>();
  private readonly leases = new Map<string, Lease | undefined>();
  /** Who took a name with which fence. */
  private readonly holders = new Map<string | undefined, VirtualProcess>();
  private readonly world: { nodes: readonly SimulatedNode[]; model: Model; redis: () => FakeRedis };

  constructor(world: { nodes: readonly SimulatedNode[]; model: Model; redis: () => FakeRedis }) {
    this.world = world;
  }

  hash(name: string): ReadonlyMap<string, string> | undefined {
    return this.world.redis().database.hash(prefix + name);
  }

  /** Something was written: by the daemon that holds the name last, where a daemon wrote a record. */
  written(owner: VirtualProcess, keys: ReadonlySet<string>): void {
    for (const { name } of this.world.nodes) {
      const fence = this.hash(`node:${name}`)?.get('fence');
      const before = this.leases.get(name);
      const lease = this.lease(name);
      this.leases.set(name, lease);
      if (fence === this.fences.get(name)) continue;
      if (before && before.holder !== lease?.holder && before.end > this.world.redis().database.now()) {
        this.add(`${owner.name} took the name ${name} from ${before.holder}, who held it`);
      }
      this.fences.set(name, fence);
      this.holders.set(fence, owner);
    }
    const records = [...keys].filter((key) => key.startsWith(`${prefix}volume:`));
    if (records.length === 0) return;
    const node = this.world.nodes.find((one) => one.runs(owner));
    if (node && this.holders.get(this.fences.get(node.name)) !== owner) {
      this.add(`${owner.name} does not hold the name ${node.name} and wrote ${records.join(' ')}`);
    }
    this.checkNumbers();
  }

  /** Redis has lost changes: what it has now is what counts, and what clients were told may not be so until all is calm. */
  goneBack(): void {
    for (const { name } of this.world.nodes) {
      this.fences.set(name, this.hash(`node:${name}`)?.get('fence'));
      this.leases.set(name, this.lease(name));
    }
    this.world.model.doubtAll();
  }

  exported(machine: string, id: string, number: string): void {
    for (const other of this.world.nodes) {
      for (const spec of other.machine.exports.values()) {
        const same = spec.id === id && other.name === machine;
        if (!same && spec.address === `e${number}`) {
          this.add(`number ${number} is exported for ${id} by ${machine} and for ${spec.id} by ${other.name}`);
        }
      }
    }
  }

  removed(machine: string, id: string, unused: boolean): void {
    const { made, deleteAsked } = this.world.model.known(id);
    if (deleteAsked || (unused && !made)) return;
    this.add(`${machine} removes the storage of volume ${id}, which nobody asked for`);
  }

  /** What clients were told. */
  told(): void {
    for (const problem of this.world.model.problems(this.facts)) this.add(problem);
  }

  /** Nothing is under way: what clients were told is so for good. */
  settled(): void {
    for (const problem of this.world.model.settle(this.facts)) this.add(problem);
  }

  /** Before a volume that failed is deleted. */
  kept(id: string): void {
    const { made, deleteAsked } = this.world.model.known(id);
    if (made && !deleteAsked && !this.facts.stored(id)) this.add(`volume ${id} was acknowledged and has no storage`);
  }

  add(violation: string): void {
    if (!this.violations.includes(violation)) this.violations.push(violation);
  }

  private lease(name: string): Lease | undefined {
    const { database } = this.world.redis();
    const holder = database.get(`${prefix}node:${name}:lease`);
    return typeof holder === 'string' ? { holder, end: database.end(`${prefix}node:${name}:lease`) ?? 0 } : undefined;
  }

  private get facts(): Facts {
    return {
      has: (id) => this.hash(`volume:${id}`) !== undefined || this.hash(`forgotten:${id}`) !== undefined,
      gone: (id) => /^(error_)?deleting$/.test(this.hash(`volume:${id}`)?.get('status') ?? 'deleting'),
      stored: (id) => this.world.nodes.some(({ machine }) => machine.stored.has(id)),
    };
  }

  private checkNumbers(): void {
    const { database } = this.world.redis();
    const owners = new Map<string, string>();
    for (const key of database.keys) {
      const [, id] = /^\{blockstore\}:(?:volume|forgotten):([0-9a-f-]{36})$/.exec(key) ?? [];
      const record = id === undefined ? undefined : database.hash(key);
      const shelf = record?.get('shelfId');
      if (id === undefined || shelf === undefined) continue;
      const number = `${shelf}.${record?.get('bladeId')}`;
      const other = owners.get(number);
      if (other !== undefined) this.add(`number ${number} is of volumes ${other} and ${id}`);
      owners.set(number, id);
    }
  }
}
