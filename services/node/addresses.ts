import { readFile, readdir } from 'node:fs/promises';
import { pooledAddress, shelfOf, tryParseAddress } from '../../lib/aoe/address.ts';
import { AddressPool } from '../../lib/aoe/address-pool.ts';
import { claimShelf, releaseShelf } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Labels } from '../../lib/drivers/driver.ts';
import { asError, errors } from '../../lib/errors.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { pairsOf } from '../../lib/redis/pairs.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import type { Target } from '../../lib/targets/target.ts';
import type { NodeLease } from './lease.ts';
import { lentAddresses } from './lent-addresses.ts';

export interface AddressesOptions {
  store: Store;
  lease: NodeLease;
  /** Targets whose exports have addresses of the pool. */
  targets: () => readonly Target[];
  shelves: { first: number; last: number; slots: number };
  quarantineMs: number;
}

/** Own shelves whose entries in Redis are looked at with a report. */
const shelvesPerReport = 8;

/** The address pool of this node, with what Redis keeps of it: the owners of shelves, and the quarantine. */
export class Addresses {
  readonly pool: AddressPool;
  /** Whether every address in use here has been noted: a start does that record by record. */
  isComplete = false;
  private readonly options: AddressesOptions;
  /** Shelves that another node owns although volumes here have addresses on them. */
  private conflicts = new Map<number, string>();
  /** The data that the pool was filled from; see Connection.identity. */
  private filledFrom = '';
  private filling: Promise<void> | undefined;
  /** Whether the answer to the last claim of a shelf was lost. */
  private isUnsure = false;
  /** Own shelves that restore() has looked at in this round. */
  private examined = 0;
  /** The time of Redis, less that of the clock that nobody sets, by which the pool keeps the quarantine: another Redis has another one. */
  private clockOffset = Date.now() - performance.now();

  constructor(options: AddressesOptions) {
    this.options = options;
    const { lease, shelves, quarantineMs } = options;
    this.pool = new AddressPool({
      node: lease.node,
      slotsPerShelf: shelves.slots,
      quarantineMs,
      claim: (from) => this.claimFree(from),
      release: (shelf) => this.release(shelf),
      foreign: (asked) => this.foreign(asked),
      now: () => performance.now(),
    });
  }

  /** Fills the pool with what Redis has of this node. */
  async load(): Promise<void> {
    const identity = await this.options.store.connection.identity();
    await this.read();
    this.filledFrom = identity;
  }

  private async read(): Promise<void> {
    const { store, lease } = this.options;
    this.clockOffset = (await redisTime(store)) - performance.now();
    const [shelves, resting] = await store.read((redis) =>
      Promise.all([
        redis.zrange(store.keys.nodeShelves(lease.node), '0', '-1'),
        redis.zrange(store.keys.quarantine(lease.node), '0', '-1', 'WITHSCORES'),
      ]),
    );
    for (const shelf of shelves) this.pool.own(Number(shelf));
    // One that seems to come was noted by a clock that was ahead.
    for (const [address, time] of pairsOf(resting)) {
      this.pool.rest(address, Math.min(Number(time) - this.clockOffset, performance.now()));
    }
    await this.readLent();
  }

  private async readLent(): Promise<ReadonlyMap<string, string>> {
    const lent = await lentAddresses(this.options.store, this.options.lease.node);
    for (const [id, address] of lent) this.pool.lend(id, address);
    return lent;
  }

  /**
   * Addresses that other nodes no longer need rest here, except those of volumes that are this node's again. One whose volume has no record
   * rests only where Redis has that it was returned: it may have lost the record, and hosts use the address.
   */
  private async takeBack(): Promise<void> {
    if (this.pool.lent.length === 0) return;
    const { store, lease } = this.options;
    const lent = await this.readLent();
    const ended = this.pool.lent.filter((id) => !lent.has(id));
    if (ended.length === 0) return;
    const [{ states }, resting] = await Promise.all([
      volumesOf(store).readAll(ended),
      store.read((redis) => redis.zrange(store.keys.quarantine(lease.node), '0', '-1')),
    ]);
    const recorded = new Map(states.map((volume) => [volume.id, volume]));
    const returned = new Set(resting);
    for (const id of ended) {
      const address = this.pool.addressOf(id) ?? '';
      const volume = recorded.get(id);
      // A migration back to this node may have failed after its handover: the volume is in error, and hosts use the address.
      const isHere = volume?.node === lease.node && volume.lender === '' && volume.address === address;
      if (isHere) this.pool.use(id, address);
      else if (volume !== undefined || returned.has(address)) this.pool.release(id);
    }
  }

  /**
   * Returns the volume's address, or a free one in its place: where it has none, one that another volume has, or one on a shelf of
   * another node. Throws NoMoreVolumes.
   */
  async allocate({ id, address }: { id: string; address: string }): Promise<string> {
    await this.ensureFilled();
    if (pooledAddress(address) === '') return this.allocateFree(id); // or it is of another target's form
    if (this.pool.use(id, address) === undefined && (await this.isOwn(address))) return address;
    this.pool.release(id);
    return this.allocateFree(id);
  }

  /**
   * Notes the address that a volume of this node has by its record; one that another node lends it is only observed. Returns the other volume
   * that has it already, or undefined.
   */
  use(id: string, { address = '', lender = '' }: { address?: string; lender?: string }): string | undefined {
    if (this.isOfPool(lender)) return this.pool.use(id, address);
    if (tryParseAddress(address) !== undefined) this.pool.borrow(id, address);
    return undefined;
  }

  /** Notes the address that storage has in its labels, until a record says otherwise. */
  label(id: string, { address = '', lender = '' }: Labels): void {
    if (this.isOfPool(lender)) this.pool.label(id, address);
  }

  private isOfPool(lender: string): boolean {
    return lender === '' || lender === this.options.lease.node;
  }

  /** Names the owner of the first shelf where it is another node: often it is the only shelf that is allowed. */
  private async allocateFree(id: string): Promise<string> {
    const { store, lease, shelves } = this.options;
    try {
      return await this.pool.allocate(id);
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code !== 'NoMoreVolumes') throw error;
      const owner = await store.read((redis) => redis.hget(store.keys.shelfOwners(), String(shelves.first)));
      if (owner === null || owner === lease.node) throw error;
      throw errors.noMoreVolumes(`node ${lease.node}`, `: AoE shelf ${shelves.first} belongs to node ${owner}`);
    }
  }

  /** Redis may have lost changes: the records and shelves that it has now are those of this node. */
  async refill(): Promise<void> {
    if (this.filling) await this.filling.catch(() => undefined); // it may have begun before the loss
    await this.fill();
  }

  /** No address is given out meanwhile. One at a time. */
  private fill(): Promise<void> {
    this.filling ??= this.readAll().finally(() => {
      this.filling = undefined;
    });
    return this.filling;
  }

  private async readAll(): Promise<void> {
    const { store, lease } = this.options;
    const identity = await store.connection.identity();
    await this.read();
    const records = volumesOf(store).iterate(store.keys.nodeVolumes(lease.node), ({ id, hash }) => this.use(id, hash));
    for await (const volume of records) this.use(volume.id, volume);
    await this.assertShelves(new Set(this.pool.used.map(shelfOf)));
    this.filledFrom = identity;
  }

  /**
   * Makes Redis agree that the shelves of this node are its own, also those of addresses that its volumes have. A shelf that another
   * node owns meanwhile is a problem until its volumes have other addresses.
   */
  async assertShelves(shelves: ReadonlySet<number>): Promise<void> {
    const conflicts = new Map<number, string>();
    for (const shelf of new Set([...shelves, ...this.pool.ownShelves])) {
      const owner = await this.claimOwn(shelf);
      if (owner !== undefined) conflicts.set(shelf, owner);
    }
    this.conflicts = conflicts;
  }

  /** Whether the shelf of an address is this node's, which claims it where no node has it. */
  async isOwn(address: string): Promise<boolean> {
    if (tryParseAddress(address) === undefined) return true;
    const shelf = shelfOf(address);
    if (this.pool.owns(shelf)) return true;
    const owner = await this.claimOwn(shelf);
    if (owner !== undefined) this.conflicts.set(shelf, owner);
    return owner === undefined;
  }

  /**
   * Writes again what Redis lacks of the shelves and the quarantine of this node: somebody may have removed or changed it. Each call
   * looks at a few shelves.
   */
  async restore(): Promise<void> {
    await this.retryConflicts();
    await this.takeBack();
    if (!(await this.areSomeWhole())) await this.restoreAll();
  }

  /** The other node may have been removed, and volumes may have left its shelf. */
  private async retryConflicts(): Promise<void> {
    if (this.conflicts.size === 0) return;
    const used = new Set(this.pool.used.map(shelfOf));
    for (const shelf of this.conflicts.keys()) {
      const owner = used.has(shelf) ? await this.claimOwn(shelf) : undefined;
      if (owner === undefined) this.conflicts.delete(shelf);
      else this.conflicts.set(shelf, owner);
    }
  }

  /** Whether Redis has the next few shelves, and as many entries of the quarantine as there are. */
  private async areSomeWhole(): Promise<boolean> {
    const { store, lease } = this.options;
    const { keys } = store;
    const all = this.pool.ownShelves;
    const shelves = all.slice(this.examined, this.examined + shelvesPerReport);
    this.examined = this.examined + shelvesPerReport < all.length ? this.examined + shelvesPerReport : 0;
    const texts = shelves.map(String);
    const { length: resting } = this.pool.quarantined;
    if (texts.length === 0 && resting === 0) return true;
    try {
      const [owners, scores, ownScores, quarantined] = await store.read((redis) =>
        Promise.all([
          texts.length === 0 ? [] : redis.hmget(keys.shelfOwners(), ...texts),
          texts.length === 0 ? [] : redis.zmscore(keys.shelves(), ...texts),
          texts.length === 0 ? [] : redis.zmscore(keys.nodeShelves(lease.node), ...texts),
          redis.zcard(keys.quarantine(lease.node)),
        ]),
      );
      const isOwn = (shelf: number, index: number) =>
        owners[index] === lease.node && isScore(scores[index], shelf) && isScore(ownScores[index], shelf);
      return shelves.every(isOwn) && quarantined >= resting;
    } catch (error) {
      if (asError(error).code === 'RedisDataDamaged') return false;
      throw error;
    }
  }

  private async restoreAll(): Promise<void> {
    const { store, lease } = this.options;
    const { keys } = store;
    const own = this.pool.ownShelves;
    const listed = new Set(await this.ownSet(keys.nodeShelves(lease.node)));
    const [owners, scores] = await store.read((redis) =>
      Promise.all([
        own.length === 0 ? [] : redis.hmget(keys.shelfOwners(), ...own.map(String)),
        Promise.all(own.map((shelf) => redis.zscore(keys.shelves(), String(shelf)))),
      ]),
    );
    const isWhole = own.every(
      (shelf, index) =>
        owners[index] === lease.node && listed.has(String(shelf)) && Number(scores[index] ?? NaN) === shelf,
    );
    if (!isWhole) await this.assertShelves(new Set(this.pool.used.map(shelfOf)));
    const resting = new Set(await this.ownSet(keys.quarantine(lease.node)));
    const lost = this.pool.quarantined.filter(([address]) => !resting.has(address));
    const entries = lost.flatMap(([address, time]) => [String(Math.floor(time + this.clockOffset)), address]);
    if (lost.length > 0) await store.read((redis) => redis.zadd(keys.quarantine(lease.node), ...entries));
  }

  /** Drops entries whose quarantine is over. */
  async trimQuarantine(): Promise<void> {
    const { store, lease, quarantineMs } = this.options;
    const end = String(Math.floor(performance.now() + this.clockOffset - quarantineMs));
    await store.read((redis) => redis.zremrangebyscore(store.keys.quarantine(lease.node), '-inf', end));
  }

  get problems(): string[] {
    return [...this.conflicts].map(
      ([shelf, owner]) => `AoE shelf ${shelf} has volumes of this node and belongs to node ${owner}`,
    );
  }

  /** Returns the node that owns the shelf of an address in place of this one. */
  ownerOf(address: string): string | undefined {
    return tryParseAddress(address) && this.conflicts.get(shelfOf(address));
  }

  /** Before an address is given out: what has one by the records may have changed with the data. */
  private async ensureFilled(): Promise<void> {
    await this.filling;
    while (this.filledFrom !== (await this.options.store.connection.identity())) await this.fill();
  }

  /** Members of a sorted set that only this node writes; a key of a wrong type is removed, to be written again. */
  private async ownSet(key: string): Promise<string[]> {
    const { store } = this.options;
    try {
      return await store.read((redis) => redis.zrange(key, '0', '-1'));
    } catch (error) {
      if (asError(error).code !== 'RedisDataDamaged') throw error;
      await store.read((redis) => redis.del(key));
      return [];
    }
  }

  /** Claims the lowest shelf from that number on that no node owns. */
  private async claimFree(from: number): Promise<number | undefined> {
    const { store, lease, shelves } = this.options;
    const first = Math.max(from, shelves.first);
    if (first > shelves.last) return undefined;
    const claimed = this.isUnsure ? await this.unknownShelf() : undefined;
    this.isUnsure = true;
    const outcome = claimed ?? (await claimShelf(store, { ...lease.token, first, last: shelves.last }));
    this.isUnsure = false;
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    return outcome.word === 'ok' ? outcome.shelf : undefined;
  }

  /** A shelf that Redis has as this node's although the pool does not: a claim whose answer was lost. */
  private async unknownShelf(): Promise<{ word: 'ok'; shelf: number } | undefined> {
    const { store, lease } = this.options;
    for (const shelf of (await this.ownSet(store.keys.nodeShelves(lease.node))).map(Number)) {
      if (!this.pool.owns(shelf) && (await this.claim(shelf)) === undefined) return { word: 'ok', shelf };
    }
    return undefined;
  }

  private async release(shelf: number): Promise<void> {
    const { store, lease } = this.options;
    if (!(await releaseShelf(store, { ...lease.token, shelf }))) throw errors.fenced(lease.node);
  }

  /** Notes in the pool whose the shelf is. Returns the other node that owns it, or undefined. */
  private async claimOwn(shelf: number): Promise<string | undefined> {
    const owner = await this.claim(shelf);
    if (owner === undefined) this.pool.own(shelf);
    else this.pool.disown(shelf);
    return owner;
  }

  /** Returns the other node that owns it, or undefined: then this one does. */
  private async claim(shelf: number): Promise<string | undefined> {
    const { store, lease, shelves } = this.options;
    const outcome = await claimShelf(store, { ...lease.token, first: shelves.first, last: shelves.last, shelf });
    if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
    return outcome.word === 'Taken' ? outcome.owner : undefined;
  }

  private async foreign(shelves: readonly number[]): Promise<ReadonlyMap<string, string>> {
    const found = (
      await Promise.all(this.options.targets().map(async (target) => (await target.discover?.(shelves)) ?? []))
    ).flat();
    const own = found.length === 0 ? new Set() : await ownHosts();
    const others = found.filter(({ host }) => !own.has(host));
    // Processes of this machine do not hear each other.
    const local = await Promise.all(this.options.targets().map((target) => target.listExports()));
    const strangers = local.flat().filter(({ id, address }) => id === undefined && isOn(shelves, address));
    return new Map([
      ...others.map(({ address, host }): [string, string] => [address, `another machine, ${host},`]),
      ...strangers.map(({ address, path }): [string, string] => [
        address,
        `another vblade of this node, with ${path},`,
      ]),
    ]);
  }
}

function isOn(shelves: readonly number[], address: string): boolean {
  return tryParseAddress(address) !== undefined && shelves.includes(shelfOf(address));
}

/** Ethernet addresses of this machine. */
async function ownHosts(): Promise<Set<string>> {
  const interfaces = await readdir('/sys/class/net');
  const hosts = await Promise.all(
    interfaces.map((name) => readFile(`/sys/class/net/${name}/address`, 'utf8').catch(() => '')),
  );
  return new Set(hosts.map((host) => host.trim().toLowerCase()));
}

function isScore(score: string | null | undefined, shelf: number): boolean {
  return Number(score ?? NaN) === shelf;
}
