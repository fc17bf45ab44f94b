import { type Answer, done, refused } from './device.ts';

interface Dataset {
  kind: 'filesystem' | 'volume' | 'snapshot';
  size: number;
  /** Bytes that nobody else can have: of a volume that is not thin. */
  reserved: number;
  origin: string;
  isDeferred: boolean;
  properties: Map<string, string>;
}

const units: Readonly<Record<string, number>> = { '': 1, M: 2 ** 20, G: 2 ** 30 };

/** The datasets of one pool, with the words of zfs. Data is not kept. */
export class FakeZfs {
  readonly datasets = new Map<string, Dataset>();
  /** Volumes that something has open. */
  readonly busy = new Set<string>();
  private readonly totalBytes: number;

  constructor(dataset: string, totalBytes: number) {
    this.totalBytes = totalBytes;
    this.datasets.set(dataset, {
      kind: 'filesystem',
      size: 0,
      reserved: 0,
      origin: '',
      isDeferred: false,
      properties: new Map(),
    });
  }

  run([verb = '', ...args]: readonly string[]): Answer {
    const verbs: Readonly<Record<string, () => Answer>> = {
      list: () => this.list(args),
      set: () => this.set(args),
      create: () => this.create(args),
      destroy: () => this.destroy(args),
      snapshot: () => this.snapshot(args),
      clone: () => this.clone(args),
      promote: () => this.promote(args),
    };
    return verbs[verb]?.() ?? refused(`unrecognized command '${verb}'`, 2);
  }

  private get available(): number {
    return this.totalBytes - [...this.datasets.values()].reduce((sum, { reserved }) => sum + reserved, 0);
  }

  private list(args: readonly string[]): Answer {
    const name = args.at(-1) ?? '';
    if (!this.datasets.has(name)) return refused(`cannot open '${name}': dataset does not exist`);
    const columns = (args[args.indexOf('-o') + 1] ?? '').split(',');
    const kinds = (args[args.indexOf('-t') + 1] ?? '').split(',');
    const rows = [...this.datasets]
      .filter(([one, { kind }]) => (one === name || one.startsWith(`${name}/`)) && kinds.includes(kind))
      .map(([one, dataset]) => columns.map((column) => this.column(one, dataset, column)).join('\t'));
    return done(rows.map((row) => `${row}\n`).join(''));
  }

  private column(name: string, { kind, size, reserved, origin, isDeferred }: Dataset, column: string): string {
    const isVolume = kind === 'volume';
    const values: Readonly<Record<string, string | number>> = {
      name,
      used: kind === 'filesystem' ? this.totalBytes - this.available : reserved,
      available: kind === 'snapshot' ? '-' : this.available,
      volsize: size === 0 ? '-' : size,
      usedbydataset: kind === 'snapshot' ? '-' : 0,
      usedbyrefreservation: isVolume ? reserved : '-',
      origin: origin === '' ? '-' : origin,
      defer_destroy: kind === 'snapshot' ? (isDeferred ? 'on' : 'off') : '-',
    };
    return String(values[column] ?? this.inherited(name, column));
  }

  private inherited(name: string, property: string): string {
    const own = this.datasets.get(name)?.properties.get(property);
    if (own !== undefined) return own;
    const parent = name.includes('@') ? name.split('@')[0] : name.split('/').slice(0, -1).join('/');
    return parent === undefined || parent === '' ? '-' : this.inherited(parent, property);
  }

  private set([pair = '', name = '']: readonly string[]): Answer {
    const dataset = this.datasets.get(name);
    if (!dataset) return refused(`cannot open '${name}': dataset does not exist`);
    const [property = '', value = ''] = splitOnce(pair);
    if (property !== 'volsize') dataset.properties.set(property, value);
    else {
      const size = bytesOf(value);
      // A reservation of its own is left alone, as that of a clone.
      const reserved = dataset.reserved === dataset.size ? size : dataset.reserved;
      if (reserved - dataset.reserved > this.available) {
        return refused(`cannot set property for '${name}': size is greater than available space`);
      }
      dataset.reserved = reserved;
      dataset.size = size;
    }
    return done();
  }

  private create(args: readonly string[]): Answer {
    const name = args.at(-1) ?? '';
    const size = bytesOf(args[args.indexOf('-V') + 1] ?? '');
    const reserved = args.includes('-s') ? 0 : size;
    if (this.datasets.has(name)) return refused(`cannot create '${name}': dataset already exists`);
    if (reserved > this.available) return refused(`cannot create '${name}': out of space`);
    this.datasets.set(name, {
      kind: 'volume',
      size,
      reserved,
      origin: '',
      isDeferred: false,
      properties: propertiesIn(args),
    });
    return done();
  }

  private snapshot(args: readonly string[]): Answer {
    const name = args.at(-1) ?? '';
    const volume = this.datasets.get(name.split('@')[0] ?? '');
    if (!volume) return refused(`cannot open '${name.split('@')[0]}': dataset does not exist`);
    if (this.datasets.has(name)) return refused(`cannot create snapshot '${name}': dataset already exists`);
    const { size } = volume;
    this.datasets.set(name, {
      kind: 'snapshot',
      size,
      reserved: 0,
      origin: '',
      isDeferred: false,
      properties: propertiesIn(args),
    });
    return done();
  }

  private clone(args: readonly string[]): Answer {
    const [origin = '', name = ''] = args.slice(-2);
    const snapshot = this.datasets.get(origin);
    if (!snapshot) return refused(`cannot open '${origin}': dataset does not exist`);
    if (this.datasets.has(name)) return refused(`cannot create '${name}': dataset already exists`);
    const properties = propertiesIn(args);
    const reserved = Number(properties.get('refreservation') ?? 0);
    if (reserved > this.available) return refused(`cannot create '${name}': out of space`);
    this.datasets.set(name, { kind: 'volume', size: snapshot.size, reserved, origin, isDeferred: false, properties });
    return done();
  }

  /** Clone and origin change places: the snapshot and the older ones become the clone's. */
  private promote([name = '']: readonly string[]): Answer {
    const clone = this.datasets.get(name);
    const origin = clone?.origin ?? '';
    const source = this.datasets.get(origin.split('@')[0] ?? '');
    if (!clone || !source) return refused(`cannot promote '${name}': not a cloned filesystem`);
    const sourceName = origin.split('@')[0] ?? '';
    const all = this.snapshotsOf(sourceName);
    for (const old of all.slice(0, all.indexOf(origin) + 1)) {
      const snapshot = this.datasets.get(old);
      const moved = `${name}@${old.split('@')[1]}`;
      this.datasets.delete(old);
      if (snapshot) this.datasets.set(moved, snapshot);
      for (const dataset of this.datasets.values()) if (dataset.origin === old) dataset.origin = moved;
    }
    const former = source.origin;
    source.origin = clone.origin; // by now a snapshot of the clone
    clone.origin = former;
    return done();
  }

  private destroy(args: readonly string[]): Answer {
    const name = args.at(-1) ?? '';
    const dataset = this.datasets.get(name);
    if (!dataset) {
      if (name.includes('@')) return refused('could not find any snapshots to destroy; check snapshot names.');
      return refused(`cannot open '${name}': dataset does not exist`);
    }
    if (this.busy.has(name)) return refused(`cannot destroy '${name}': dataset is busy`);
    const snapshots = this.snapshotsOf(name);
    if (snapshots.length > 0) {
      return refused(
        `cannot destroy '${name}': volume has children\nuse '-r' to destroy the following datasets:\n${snapshots.join('\n')}`,
      );
    }
    if (this.clonesOf(name).length > 0) {
      if (!args.includes('-d')) return refused(`cannot destroy '${name}': snapshot has dependent clones`);
      dataset.isDeferred = true;
      return done();
    }
    this.datasets.delete(name);
    const origin = this.datasets.get(dataset.origin);
    if (origin?.isDeferred && this.clonesOf(dataset.origin).length === 0) this.datasets.delete(dataset.origin);
    return done();
  }

  private snapshotsOf(name: string): string[] {
    return [...this.datasets.keys()].filter((one) => one.startsWith(`${name}@`));
  }

  private clonesOf(snapshot: string): string[] {
    return [...this.datasets].filter(([, { origin }]) => origin === snapshot).map(([name]) => name);
  }
}

function propertiesIn(args: readonly string[]): Map<string, string> {
  const pairs = args.flatMap((arg, index) => (args[index - 1] === '-o' ? [splitOnce(arg)] : []));
  return new Map(pairs.map(([name = '', value = '']) => [name, value]));
}

function splitOnce(text: string): string[] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

function bytesOf(text: string): number {
  const [, digits, unit = ''] = /^(\d+)([MG]?)$/.exec(text) ?? [];
  return Number(digits) * (units[unit] ?? Number.NaN);
}
