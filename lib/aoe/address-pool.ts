import { errors } from '../errors.ts';
import { addressesOfShelf, compareAddresses, shelfOf, tryParseAddress } from './address.ts';

export interface AddressPoolOptions {
  node: string;
  /** Addresses of a shelf that are given out: its first slots. */
  slotsPerShelf: number;
  /** How long a freed address rests before another volume may have it. */
  quarantineMs: number;
  /** Makes the lowest free shelf from that number on this node's own. Returns undefined where none is left. */
  claim: (from: number) => Promise<number | undefined>;
  /** Frees a shelf again. */
  release: (shelf: number) => Promise<void>;
  /** Addresses of these shelves that others answer at, with their descriptions. */
  foreign: (shelves: readonly number[]) => Promise<ReadonlyMap<string, string>>;
  /** Milliseconds since the epoch, by the clock that the quarantine is kept in. */
  now: () => number;
}

/** Shelves at which others answer that are claimed at most for one address. */
const maxClaims = 4;
/** Free shelves at which others answer that are passed over before one of them is kept. */
const maxPassed = 64;
const shelvesPerObservation = 8;
/** Observations without an answer before a foreign address counts as free. */
const observationsToFree = 3;

/** A claimed shelf is free, or others answer at some of its addresses. */
type Claim = 'free' | 'answered' | 'none';

/**
 * The AoE addresses of one node. A shelf belongs to one node, which gives its slots to volumes from this table in memory; the records,
 * the labels on storage and the exports fill it at start.
 */
export class AddressPool {
  private readonly options: AddressPoolOptions;
  private readonly shelves = new Set<number>();
  private readonly users = new Map<string, string>();
  private readonly addresses = new Map<string, string>();
  /** Volumes of other nodes that have addresses of this one. */
  private readonly borrowers = new Set<string>();
  /** Volumes whose addresses only labels on storage name. */
  private readonly labelled = new Set<string>();
  /** Volumes of this node that have addresses of other ones. */
  private readonly borrowed = new Map<string, string>();
  /** Addresses in quarantine with its end, the earliest end first. */
  private readonly resting = new Map<string, number>();
  /** Shelves without a free address: a search passes them over. */
  private readonly full = new Set<number>();
  private readonly others = new Map<string, { host: string; missed: number; time: number }>();
  /** Shelves of this node on which nobody has looked for other machines yet. No address is given out while there are any. */
  private readonly unexamined = new Set<number>();
  private examining: Promise<void> | undefined;
  private claiming: Promise<Claim> | undefined;
  /** A claimed shelf that is not examined yet: a failed examination must not cost another one. */
  private claimed: number | undefined;
  private observed = 0;

  constructor(options: AddressPoolOptions) {
    this.options = options;
  }

  /** A shelf that Redis has as this node's. */
  own(shelf: number): void {
    if (!this.shelves.has(shelf)) this.unexamined.add(shelf);
    this.shelves.add(shelf);
  }

  /** A shelf that another node owns: nobody here gets an address of it any more. */
  disown(shelf: number): void {
    this.shelves.delete(shelf);
  }

  owns(shelf: number): boolean {
    return this.shelves.has(shelf);
  }

  /** Forgets all, before the table is filled again. */
  clear(): void {
    for (const table of [
      this.shelves,
      this.unexamined,
      this.full,
      this.users,
      this.addresses,
      this.borrowers,
      this.labelled,
      this.borrowed,
      this.resting,
    ])
      table.clear();
  }

  /**
   * Notes that a volume has an address: by its record or its running export. Returns the other volume that has it already, or undefined;
   * one that only has a label with it loses it.
   */
  use(id: string, address: string): string | undefined {
    this.borrowed.delete(id);
    if (tryParseAddress(address) === undefined) return undefined;
    const user = this.users.get(address);
    if (user !== undefined && user !== id) {
      if (!this.labelled.delete(user)) return user;
      this.addresses.delete(user);
    }
    const before = this.addresses.get(id);
    if (before !== undefined && before !== address) {
      this.users.delete(before);
      this.noteFree(before);
    }
    this.users.set(address, id);
    this.addresses.set(id, address);
    this.borrowers.delete(id);
    this.labelled.delete(id);
    return undefined;
  }

  /** Notes that storage has a label with an address, which counts as long as no record says otherwise. */
  label(id: string, address: string): void {
    if (this.users.has(address) || this.addresses.has(id)) return;
    this.use(id, address);
    if (this.addresses.has(id)) this.labelled.add(id);
  }

  /** The same of a volume of another node, which has had the address since it left this one. */
  lend(id: string, address: string): void {
    if (this.use(id, address) === undefined && this.addresses.get(id) === address) this.borrowers.add(id);
  }

  /** A volume of this node has an address of another one: it is only observed. */
  borrow(id: string, address: string): void {
    this.borrowed.set(id, address);
  }

  /** Volumes of other nodes that have addresses of this one. */
  get lent(): readonly string[] {
    return [...this.borrowers];
  }

  /** An address that was freed at `time`. A later release counts: an older copy of Redis has earlier ones. */
  rest(address: string, time: number): void {
    const end = time + this.options.quarantineMs;
    if ((this.resting.get(address) ?? -Infinity) >= end) return;
    this.resting.delete(address); // the order is that of the ends
    this.resting.set(address, end);
  }

  /** Addresses in quarantine, with the times of their release. */
  get quarantined(): readonly [address: string, time: number][] {
    const now = this.options.now();
    const resting = [...this.resting].filter(([, end]) => end > now);
    return resting.map(([address, end]) => [address, end - this.options.quarantineMs]);
  }

  /** The volume is gone: its address rests. */
  release(id: string): void {
    this.borrowed.delete(id);
    const address = this.addresses.get(id);
    if (address === undefined) return;
    this.addresses.delete(id);
    this.users.delete(address);
    this.borrowers.delete(id);
    this.labelled.delete(id);
    this.rest(address, this.options.now());
  }

  addressOf(id: string): string | undefined {
    return this.addresses.get(id);
  }

  /** Returns the volume that has the address. */
  userOf(address: string): string | undefined {
    return this.users.get(address);
  }

  get ownShelves(): readonly number[] {
    return [...this.shelves].toSorted((one, other) => one - other);
  }

  /** Returns the volume's address, or the lowest free one of this node. Throws NoMoreVolumes, and what `foreign` throws. */
  async allocate(id: string): Promise<string> {
    for (let answered = 0; ; ) {
      // Repeated: another request may have claimed a shelf during the examination.
      while (!this.addresses.has(id) && this.unexamined.size > 0) await this.examine();
      const address = this.addresses.get(id) ?? this.lowestFree();
      if (address !== undefined) {
        this.use(id, address);
        return address;
      }
      const claim = answered === maxClaims ? 'none' : await this.claimOne();
      if (claim === 'none') throw errors.noMoreVolumes(`node ${this.options.node}`);
      // The addresses of a free one may all have gone to others that waited for it.
      if (claim === 'answered') answered += 1;
    }
  }

  /** Addresses of volumes of this node at which others answered when they were last observed, with their descriptions. */
  get answeredElsewhere(): ReadonlyMap<string, string> {
    const borrowed = new Set(this.borrowed.values());
    const isOwn = (address: string) => {
      const user = this.users.get(address);
      return borrowed.has(address) || (user !== undefined && !this.borrowers.has(user));
    };
    const used = [...this.others].filter(([address]) => isOwn(address));
    return new Map(used.map(([address, { host }]) => [address, host]));
  }

  /**
   * Looks at the wire for other machines on this node's shelves, and those of addresses that it has borrowed. An address at which one answers
   * is given to nobody, and rests afterwards: hosts may have devices of it.
   */
  async observe(): Promise<void> {
    const asked = this.nextToObserve();
    if (asked.length === 0) return;
    const seen = await this.options.foreign(asked);
    this.noteForeign(seen);
    for (const shelf of asked) this.unexamined.delete(shelf);
    for (const [address, other] of this.others) {
      if (seen.has(address) || !asked.includes(shelfOf(address))) continue;
      other.missed += 1;
      if (other.missed < observationsToFree) continue;
      this.others.delete(address);
      if (this.owns(shelfOf(address)) && !this.users.has(address)) this.rest(address, other.time);
      this.noteFree(address);
    }
  }

  /** Looks at all of these shelves, for an audit. */
  async observeAll(): Promise<void> {
    for (let asked = 0; asked < this.observedShelves.length; asked += shelvesPerObservation) await this.observe();
  }

  /** Each observation asks about some of the shelves in turn: every frame reaches every machine of the network. */
  private nextToObserve(): number[] {
    const all = this.observedShelves;
    const start = all.length === 0 ? 0 : this.observed % all.length;
    this.observed = start + shelvesPerObservation;
    return [...all.slice(start), ...all.slice(0, start)].slice(0, shelvesPerObservation);
  }

  private get observedShelves(): readonly number[] {
    return [...new Set([...this.ownShelves, ...[...this.borrowed.values()].map(shelfOf)])];
  }

  /** Before a first address is given out: other machines may answer on shelves that are this node's own, after a start or a claim. */
  private examine(): Promise<void> {
    const asked = [...this.unexamined];
    this.examining ??= this.options
      .foreign(asked)
      .then((seen) => {
        this.noteForeign(seen);
        for (const shelf of asked) this.unexamined.delete(shelf);
      })
      .finally(() => {
        this.examining = undefined;
      });
    return this.examining;
  }

  private noteForeign(seen: ReadonlyMap<string, string>): void {
    const borrowed = new Set(this.borrowed.values());
    const time = this.options.now();
    for (const [address, host] of seen) {
      // Its lender and others answer at the other addresses of a borrowed one's shelf.
      if (this.owns(shelfOf(address)) || borrowed.has(address)) this.others.set(address, { host, missed: 0, time });
    }
  }

  private lowestFree(): string | undefined {
    this.endQuarantines();
    for (const shelf of this.ownShelves) {
      if (this.full.has(shelf)) continue;
      const free = addressesOfShelf(shelf, this.options.slotsPerShelf).find((address) => this.isFree(address));
      if (free !== undefined) return free;
      this.full.add(shelf);
    }
    return undefined;
  }

  private endQuarantines(): void {
    const now = this.options.now();
    for (const [address, end] of this.resting) {
      if (end > now) return;
      this.resting.delete(address);
      this.noteFree(address);
    }
  }

  private noteFree(address: string): void {
    this.full.delete(shelfOf(address));
  }

  private isFree(address: string): boolean {
    return !this.users.has(address) && !this.resting.has(address) && !this.others.has(address);
  }

  /** One claim at a time serves all that wait for an address. */
  private claimOne(): Promise<Claim> {
    this.claiming ??= this.claimNext().finally(() => {
      this.claiming = undefined;
    });
    return this.claiming;
  }

  /**
   * Claims the lowest free shelf at which nobody answers: where Redis has lost its owner, that node still exports volumes on it, and
   * has yet to claim it again. One with answers is kept only where no other is left.
   */
  private async claimNext(): Promise<Claim> {
    let passed = 0;
    let from = 0;
    while (passed < maxPassed) {
      this.claimed ??= await this.options.claim(from);
      const shelf = this.claimed;
      if (shelf === undefined) break;
      const { size } = await this.options.foreign([shelf]);
      if (size > 0) await this.options.release(shelf);
      else this.shelves.add(shelf);
      this.claimed = undefined;
      if (size === 0) return 'free';
      passed += 1;
      from = shelf + 1;
    }
    const answered = passed > 0 ? await this.options.claim(0) : undefined;
    if (answered === undefined) return 'none';
    this.own(answered);
    return 'answered';
  }

  /** Every address that is in use, lowest first. */
  get used(): readonly string[] {
    return [...this.users.keys()].toSorted(compareAddresses);
  }
}
