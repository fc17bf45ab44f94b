import { shelfOf } from '../../lib/aoe/address.ts';
import { errors } from '../../lib/errors.ts';
import type { ExportSpec } from '../../lib/targets/target.ts';
import type { FakeRedis } from './fake-redis/server.ts';
import type { SimulatedHost } from './host.ts';
import type { FakeMachine } from './machine.ts';
import type { Facts, Model } from './model.ts';
import type { SimulatedNode } from './node.ts';
import type { VirtualProcess } from './virtual-process.ts';

const prefix = '{blockstore}:';

/** Statuses that no version knows begin so; the rest is what the record had before. */
export const unreadable = 'unknown ';
/** As address_quarantine has it by default. */
const quarantineMs = 600_000;

interface Lease {
  holder: string;
  end: number;
}

interface InvariantsWorld {
  nodes: readonly SimulatedNode[];
  hosts: readonly SimulatedHost[];
  model: Model;
  snapshots: Model;
  redis: () => FakeRedis;
  /** Whether all nodes reach one storage. */
  isShared: boolean;
  /** A volume that was not being created is of another node than before. */
  onMove: () => void;
}

/** What must hold at any moment. It looks at Redis' own data and at the machines, and asks none of the product's code. */
export class Invariants {
  readonly violations: string[] = [];
  private readonly tokens = new Map<string, string | undefined>();
  private readonly leases = new Map<string, Lease | undefined>();
  /** Who took a name with which token. */
  private readonly holders = new Map<string | undefined, VirtualProcess>();
  /** Addresses of records as they were last seen, and when and by whom they were released. */
  private addresses = new Map<string, string>();
  private readonly released = new Map<string, { id: string; time: number }>();
  /** Redis has lost changes, or its clock was set, since nothing was under way. */
  private isDoubtful = false;
  private readonly allocated = new Map<FakeMachine, number>();
  /** Nodes of the volumes, by the keys of their records, as they were last seen. */
  private readonly owners = new Map<string, string | undefined>();
  /** The newest data of volumes that hosts have had. */
  private readonly versions = new Map<string, number>();
  private readonly world: InvariantsWorld;

  constructor(world: InvariantsWorld) {
    this.world = world;
  }

  private get machines(): readonly FakeMachine[] {
    return this.world.nodes.flatMap(({ machines }) => machines);
  }

  hash(name: string): ReadonlyMap<string, string> | undefined {
    return this.world.redis().database.hash(prefix + name);
  }

  /** Something was written: by the daemon that holds the name last, where a daemon wrote a record. */
  written(owner: VirtualProcess, keys: ReadonlySet<string>): void {
    for (const { name } of this.world.nodes) {
      const token = this.hash(`node:${name}`)?.get('token');
      const before = this.leases.get(name);
      const lease = this.lease(name);
      this.leases.set(name, lease);
      if (token === this.tokens.get(name)) continue;
      if (before && before.holder !== lease?.holder && before.end > this.world.redis().database.now()) {
        this.add(`${owner.name} took the name ${name} from ${before.holder}, who held it`);
      }
      this.tokens.set(name, token);
      this.holders.set(token, owner);
    }
    const records = [...keys].filter((key) => /:volume:[^:]+$/.test(key));
    if (records.length === 0) return;
    const node = this.world.nodes.find((one) => one.runs(owner));
    if (node && this.holders.get(this.tokens.get(node.name)) !== owner) {
      this.add(`${owner.name} does not hold the name ${node.name} and wrote ${records.join(' ')}`);
    }
    for (const key of records) {
      const before = this.owners.get(key);
      const record = this.world.redis().database.hash(key);
      const now = record?.get('node');
      this.owners.set(key, now);
      const isMoved = before !== undefined && now !== undefined && before !== now;
      if (isMoved && record?.get('status') !== 'creating') this.world.onMove();
      if (node && before !== undefined && before !== node.name && now !== node.name)
        this.add(`${owner.name} wrote ${key}, which is of ${before}`);
      if (this.isUnreadable(key)) this.add(`${owner.name} wrote ${key}, which it cannot read`);
    }
    this.checkAddresses();
    this.checkFreeSpace(node === undefined);
  }

  /**
   * Redis has lost changes: what it has now is what counts, and acknowledgements need not hold until all is calm; of what a
   * replica had, clients had no other replies.
   */
  goneBack(hadReplica: boolean): void {
    this.isDoubtful ||= !hadReplica;
    this.released.clear();
    this.owners.clear();
    this.addresses = this.recordedAddresses();
    for (const machine of this.machines) this.allocated.set(machine, this.allocatedBytes(machine));
    for (const { name } of this.world.nodes) {
      this.tokens.set(name, this.hash(`node:${name}`)?.get('token'));
      this.leases.set(name, this.lease(name));
    }
    if (hadReplica) return;
    this.world.model.doubtAll();
    this.world.snapshots.doubtAll();
    for (const host of this.world.hosts) host.detachesLost();
  }

  /** The quarantine is by the clock of Redis. */
  clockSet(): void {
    this.released.clear();
  }

  exported(machine: string, { id, address }: ExportSpec, owner: VirtualProcess | undefined): void {
    const admitted = this.world.nodes.find(({ name }) => name === machine)?.exports.get(id);
    if (admitted) this.checkHosts(machine, admitted);
    for (const other of this.world.nodes) {
      for (const spec of other.exports.values()) {
        const same = spec.id === id && other.name === machine;
        if (!same && spec.address === address) {
          this.add(`address ${address} is exported for ${id} by ${machine} and for ${spec.id} by ${other.name}`);
        }
      }
    }
    if (this.isDoubtful || owner?.dead === true || this.holders.get(this.tokens.get(machine)) !== owner) return;
    const before = this.released.get(address);
    if (before && before.id !== id && performance.now() - before.time < quarantineMs) {
      this.add(`address ${address} is exported for ${id} by ${machine} soon after ${before.id} had it`);
    }
    const shelfOwner = this.hash('aoe:shelf-owners')?.get(String(shelfOf(address)));
    const lender = this.hash(`volume:${id}`)?.get('lender') ?? machine;
    if (shelfOwner !== lender)
      this.add(`${machine} exports ${id} at ${address}, on a shelf of ${shelfOwner ?? 'nobody'}`);
    if (this.hash(`volume:${id}`)?.get('attachStatus') === 'detached') {
      this.add(`${machine} exports ${id}, which is not attached`);
    }
  }

  /** A request came in a database that is somebody else's. */
  strayed(owner: VirtualProcess, request: readonly string[]): void {
    this.add(`${owner.name} sent ${request.slice(0, 2).join(' ')} to another database`);
  }

  /**
   * A migration writes to storage that is being made for it, and to nothing else. Of a new volume whose data are those of another one, or of a snapshot, the
   * path is theirs.
   */
  received(from: FakeMachine, to: FakeMachine, { volume: id, path }: { volume: string; path: string }): void {
    const target = to.stored.get(id);
    const [, kind, origin = ''] = /^\w+:(volume|snapshot)-(.*)$/.exec(path) ?? [];
    const [source, snapshot] = kind === 'volume' ? [origin, ''] : ['', origin];
    const version = from.stored.get(source)?.version;
    const isThere = version !== undefined || from.snapshots.get(snapshot)?.whole === true;
    if (!isThere || !target) throw errors.storageMissing(id, path);
    if (target.volume.labels['copy'] === undefined) this.add(`a migration overwrites ${id} on ${to.name}`);
    if (version !== undefined && source === id) target.version = version;
  }

  /** Hosts never see data that are older than those that they have seen. */
  used(machine: string, { id, readOnly }: ExportSpec, version: number): number {
    const newest = this.versions.get(id) ?? 0;
    if (version < newest) this.add(`${machine} exports ${id} with version ${version} of its data, not ${newest}`);
    const next = readOnly ? newest : newest + 1;
    this.versions.set(id, next);
    return next;
  }

  /** Whether another machine has the newest data, for good. */
  private isElsewhere(machine: FakeMachine, id: string): boolean {
    return this.machines.some((other) => {
      const { whole, version, volume } = other.stored.get(id) ?? {};
      const isNewest = version === (this.versions.get(id) ?? 0);
      return other !== machine && whole === true && isNewest && volume?.labels['copy'] === undefined;
    });
  }

  removed(machine: FakeMachine, id: string, unused: boolean): void {
    if (this.isUnreadable(`${prefix}volume:${id}`)) {
      this.add(`${machine.name} removes the storage of volume ${id}, whose record it cannot read`);
    }
    const { made, deleteAsked } = this.world.model.known(id);
    const labels = machine.stored.get(id)?.volume.labels ?? {};
    const isOfMigration = labels['copy'] !== undefined || labels['moved'] !== undefined;
    if (isOfMigration && this.isElsewhere(machine, id)) return;
    const isNew = unused || labels['copy'] !== undefined;
    if (deleteAsked || (isNew && !made)) return;
    this.add(`${machine.name} removes the storage of volume ${id}, which nobody asked for`);
  }

  removedSnapshot(machine: FakeMachine, id: string, { unused, volume }: { unused: boolean; volume: string }): void {
    const { made, deleteAsked } = this.world.snapshots.known(id);
    if (deleteAsked || (unused && !made) || this.world.model.known(volume).snapshotsAsked) return;
    this.add(`${machine.name} removes the storage of snapshot ${id}, which nobody asked for`);
  }

  /** What clients know from replies, and what their machines can write to. */
  told(): void {
    for (const problem of this.world.model.problems(this.facts)) this.add(problem);
    for (const problem of this.world.snapshots.problems(this.factsOfSnapshots)) this.add(problem);
    for (const { name, exports } of this.world.nodes) {
      for (const spec of exports.values()) this.checkHosts(name, spec);
    }
  }

  /** Nothing is under way: what was acknowledged holds for good. */
  settled(): void {
    for (const problem of this.world.model.settle(this.facts)) this.add(problem);
    for (const problem of this.world.snapshots.settle(this.factsOfSnapshots)) this.add(problem);
    this.isDoubtful = false;
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
      has: (id) => this.hash(`volume:${id}`) !== undefined || this.hash(`abandoned:${id}`) !== undefined,
      gone: (id) => /^(unknown )?(error_)?deleting$/.test(this.hash(`volume:${id}`)?.get('status') ?? 'deleting'),
      stored: (id) => this.machines.some(({ stored }) => stored.has(id)),
    };
  }

  private get factsOfSnapshots(): Facts {
    return {
      has: (id) => this.hash(`snapshot:${id}`) !== undefined,
      gone: (id) => {
        const record = this.hash(`snapshot:${id}`);
        // Deleted with its volume, which the node could not do once it was back: both are there again, to be deleted.
        const volume = this.hash(`volume:${record?.get('volume')}`)?.get('status');
        return /^(error_)?deleting$/.test(record?.get('status') ?? 'deleting') || volume === 'error_deleting';
      },
      stored: (id) => this.machines.some(({ snapshots }) => snapshots.has(id)),
    };
  }

  private checkHosts(machine: string, spec: ExportSpec): void {
    const record = this.hash(`volume:${spec.id}`);
    // One that was lost ends these exports in the course of its start, or with the deletion of the volume.
    const isStarting = this.world.nodes.find(({ name }) => name === machine)?.isUp === false;
    const isEnding = /^(error|deleting)$/.test(record?.get('status') ?? '');
    const isLost = isStarting || isEnding || this.hash(`node:${machine}`)?.has('lost') === true;
    for (const host of this.world.hosts) {
      const trespass = host.trespass(spec, isLost);
      if (trespass !== undefined) this.add(trespass);
    }
  }

  private isUnreadable(key: string): boolean {
    return this.world.redis().database.hash(key)?.get('status')?.startsWith(unreadable) ?? false;
  }

  private recordedAddresses(): Map<string, string> {
    const { database } = this.world.redis();
    const addresses = new Map<string, string>();
    for (const key of database.keys) {
      const [, id] = /^\{blockstore\}:(?:volume|abandoned):([0-9a-f-]{36})$/.exec(key) ?? [];
      const address = id === undefined ? undefined : database.hash(key)?.get('address');
      if (id !== undefined && address !== undefined) addresses.set(id, address);
    }
    return addresses;
  }

  private checkAddresses(): void {
    const addresses = this.recordedAddresses();
    for (const [id, address] of this.addresses) {
      if (!addresses.has(id)) this.released.set(address, { id, time: performance.now() });
    }
    this.addresses = addresses;
    const users = new Map<string, string>();
    for (const [id, address] of addresses) {
      const other = users.get(address);
      const model = this.world.model;
      // Redis may have lost that one of them was deleted, and have it back.
      const areDoubtful = other !== undefined && model.known(other).doubtful && model.known(id).doubtful;
      // One whose shelf another node has since keeps its address, unexported, until somebody detaches it.
      const isMisplaced = [other, id].some((one) => one !== undefined && this.isMisplaced(one, address));
      if (other !== undefined && !areDoubtful && !isMisplaced)
        this.add(`address ${address} is of volumes ${other} and ${id}`);
      users.set(address, id);
    }
  }

  private isMisplaced(id: string, address: string): boolean {
    const record = this.hash(`volume:${id}`);
    const node = record?.get('lender') ?? record?.get('node');
    const owner = this.hash('aoe:shelf-owners')?.get(String(shelfOf(address)));
    return node !== undefined && owner !== undefined && owner !== node;
  }

  private allocatedBytes({ name, backend }: FakeMachine): number {
    return Number(this.hash(`backend:${name}@${backend}`)?.get('allocatedBytes') ?? 0);
  }

  /** Racing requests never overcommit, although a node may record more than it has: what it finds after a loss. */
  private checkFreeSpace(isClient: boolean): void {
    if (this.world.isShared) return; // storage is the one that counts
    for (const machine of this.machines) {
      const { name, backend, totalBytes } = machine;
      const allocated = this.allocatedBytes(machine);
      const before = this.allocated.get(machine) ?? 0;
      this.allocated.set(machine, allocated);
      if (isClient && allocated > before && allocated > totalBytes)
        this.add(`${allocated} bytes of ${name}@${backend} are allocated`);
    }
  }
}
