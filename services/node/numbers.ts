import { readFile, readdir } from 'node:fs/promises';
import { parseAddress } from '../../lib/aoe/address.ts';
import type { FoundVolume } from '../../lib/drivers/driver.ts';
import type { Log } from '../../lib/log.ts';
import type { Node, OwnNumber } from '../../lib/models/node.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import type { Store } from '../../lib/redis/store.ts';
import { type Backend, fieldsIn } from './backend.ts';

export interface NumbersOptions {
  store: Store;
  node: Node;
  backend: Backend;
  slots: number;
  firstShelf: number;
  log: Log;
}

/** Free shelves that are asked about. */
const candidates = 4;

/**
 * AoE numbers that are in use although no record has them: others' exports, and those of own volumes whose records Redis has lost.
 * They are kept back, so that no other volume is given them.
 */
export class Numbers {
  private readonly options: NumbersOptions;
  private readonly volumesAtWork = new Set<VolumeState>();
  /** How often Redis was found to have lost something without the connection being lost. */
  private losses = 0;
  /** `age` when this node's own numbers were last looked at. */
  private knownAt = -1;
  /** How many are kept for own volumes; these are looked at until there is none. */
  private kept = 0;
  private looking: Promise<void> | undefined;

  constructor(options: NumbersOptions) {
    this.options = options;
  }

  /** Redis has lost what it knew, although the connection held. */
  forget(): void {
    this.losses += 1;
  }

  /** Before a number is given out: with each connection, those that are in use may be free in Redis until they are looked at. */
  async known(): Promise<void> {
    while (this.knownAt !== this.age) await this.look();
  }

  /** Whether some are kept for own volumes. */
  get areKept(): boolean {
    return this.kept > 0;
  }

  /** While the volume is worked at its number counts as in use: it may be neither on storage nor exported yet. */
  async whileAtWork<T>(volume: VolumeState, work: () => Promise<T>): Promise<T> {
    this.volumesAtWork.add(volume);
    try {
      return await work();
    } finally {
      this.volumesAtWork.delete(volume);
    }
  }

  /** The free numbers of this node are made anew from its records and from what it has on storage. */
  async atStart(stored: readonly FoundVolume[]): Promise<void> {
    await this.lookTwice(true, stored);
  }

  /** Keeps back what others have begun to use, and gives free what nobody uses any more. */
  async upkeep(): Promise<void> {
    if (this.knownAt !== this.age || this.areKept) return this.look();
    if (this.options.backend.target.name !== 'none') await this.observe(await this.onWire(), undefined, false);
  }

  private look(): Promise<void> {
    this.looking ??= this.lookTwice(false).finally(() => {
      this.looking = undefined;
    });
    return this.looking;
  }

  private async lookTwice(whole: boolean, listed?: readonly FoundVolume[]): Promise<void> {
    const { age } = this;
    const wire = await this.onWire();
    await this.lookAtOwn(wire, whole, listed);
    if (this.areKept) await this.lookAtOwn(wire, false); // what was just being removed is not there at a second look
    this.knownAt = age;
  }

  private async lookAtOwn(wire: Reasons, whole: boolean, listed?: readonly FoundVolume[]): Promise<void> {
    const atWork = [...this.volumesAtWork]; // first: it may be done, and on storage, when that is listed
    const stored = listed ?? (await this.options.backend.driver.listVolumes());
    await this.observe(wire, { atWork, stored }, whole);
  }

  /** What other machines export. */
  private async onWire(): Promise<Reasons> {
    const addresses = await ownAddresses();
    const seen = await this.options.backend.target.discover(await this.shelves());
    const others = seen.filter(({ host }) => !addresses.has(host));
    return new Map(others.map(({ address, host }) => [numberOf(address), `wire ${host}`]));
  }

  /** Own shelves, and the next ones by number that are free. */
  private async shelves(): Promise<number[]> {
    const { store, node } = this.options;
    const owners = await store.read((redis) => redis.hgetall(store.keys.shelves()));
    const own = Object.keys(owners).filter((shelf) => owners[shelf] === node.identifier);
    const first = this.options.firstShelf;
    const next = Array.from({ length: Object.keys(owners).length + candidates }, (_, index) => first + index);
    return [...own.map(Number), ...next.filter((shelf) => owners[shelf] === undefined).slice(0, candidates)];
  }

  private async observe(wire: Reasons, own: Own | undefined, whole: boolean): Promise<void> {
    const { node, backend, slots, log } = this.options;
    const others = new Map(wire);
    const numbers: OwnNumber[] = [];
    for (const { id, address, path } of await backend.target.listExports()) {
      const number = numberOf(address);
      if (id === undefined) others.set(number, `export ${path}`);
      else numbers.push({ number, id, running: true });
    }
    if (own)
      numbers.push(
        ...numbersOf(own.atWork, true),
        ...numbersOf(
          own.stored.map(({ id, labels }) => ({ id, ...fieldsIn(labels) })),
          false,
        ),
      );
    const addresses = [...(await ownAddresses())];
    const seen = { others, own: own && { addresses, numbers } };
    const { kept, fresh } = await node.observe(seen, slots, whole);
    this.kept = kept;
    for (const number of fresh)
      log.warn(`AoE number e${number} is used by others and kept back`, { by: others.get(number) });
  }

  /** Changes with everything that may have made Redis forget. */
  private get age(): number {
    return this.options.store.connection.count + this.losses;
  }
}

/** Why numbers are kept back for others. */
type Reasons = ReadonlyMap<string, string>;

interface Own {
  atWork: readonly VolumeState[];
  stored: readonly FoundVolume[];
}

function numbersOf(volumes: readonly Pick<VolumeState, 'id' | 'shelfId' | 'bladeId'>[], running: boolean): OwnNumber[] {
  return volumes.flatMap(({ id, shelfId, bladeId }) =>
    shelfId === undefined ? [] : [{ number: `${shelfId}.${bladeId}`, id, running }],
  );
}

/** An address as Redis keeps it. */
function numberOf(address: string): string {
  const { shelf, slot } = parseAddress(address);
  return `${shelf}.${slot}`;
}

/** Ethernet addresses of this machine. */
async function ownAddresses(): Promise<Set<string>> {
  const interfaces = await readdir('/sys/class/net');
  const addresses = await Promise.all(
    interfaces.map((name) => readFile(`/sys/class/net/${name}/address`, 'utf8').catch(() => '')),
  );
  return new Set(addresses.map((address) => address.trim().toLowerCase()));
}
