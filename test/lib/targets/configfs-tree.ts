import { type Configfs, ConfigfsFailure } from '../../../lib/targets/configfs.ts';

interface Entry {
  attributes: Map<string, string>;
  /** Made by the kernel with its parent; removed with it. */
  isDefault: boolean;
  isHidden: boolean;
}

export type Attributes = Readonly<Record<string, string>>;

/** What the kernel makes with an object: its attributes, and below it the groups that it has from the beginning. */
export interface Kind {
  path: RegExp;
  attributes?: Attributes;
  groups?: Readonly<Record<string, Attributes>>;
}

/**
 * A tree in memory that plays configfs: attributes exist with their object, an object with others below it or links to it stays. What a
 * subsystem of the kernel adds to that, its stand-in does.
 */
export abstract class ConfigfsTree implements Configfs {
  /** Changes that were made, by method and path. */
  readonly changes: string[] = [];
  /** Called before a change; it can throw. */
  before: (change: string, path: string) => void = () => {};
  protected readonly entries = new Map<string, Entry>();
  protected readonly linked = new Map<string, string>();
  private readonly kinds: readonly Kind[];

  constructor(kinds: readonly Kind[], roots: readonly string[]) {
    this.kinds = kinds;
    for (const root of ['', ...roots]) this.add(root, {}, true);
  }

  /** Called with a change of an attribute, which it makes or refuses. */
  protected abstract assign(path: string, value: string, set: (value: string) => void): void;
  /** Whether an object may be made, beside others that exist. Throws ConfigfsFailure. */
  protected abstract admit(path: string): void;
  /** Called when a link has been made, or refuses it. */
  protected abstract connect(path: string, to: string): void;
  protected abstract disconnect(path: string, to: string): void;
  /** Called when an object has been removed. */
  protected removed(_path: string): void {}

  /** From that change on nothing is done, as by a daemon that was killed. Returns whether the work came to it. */
  async crashAt(point: number, work: () => Promise<void>): Promise<boolean> {
    let count = 0;
    this.before = (_, path) => {
      count += 1;
      if (count > point) throw new ConfigfsFailure(path, 'crashed');
    };
    const hasCrashed = await work().then(
      () => false,
      () => true,
    );
    this.before = () => {};
    return hasCrashed;
  }

  async directories(path: string): Promise<string[]> {
    return this.below(this.entries.keys(), path);
  }

  async links(path: string): Promise<string[]> {
    return this.below(this.linked.keys(), path);
  }

  async follow(path: string): Promise<string | undefined> {
    return this.linked.get(path);
  }

  async read(path: string): Promise<string | undefined> {
    return this.attribute(path)?.value;
  }

  async write(path: string, value: string): Promise<void> {
    this.note('write', path);
    const found = this.attribute(path);
    if (!found) throw new ConfigfsFailure(path, 'ENOENT');
    this.assign(path, value, found.set);
  }

  async create(path: string): Promise<void> {
    this.note('create', path);
    if (this.entries.has(path)) return;
    const kind = this.kinds.find((one) => one.path.test(path));
    if (!kind || !this.entries.has(parentOf(path))) throw new ConfigfsFailure(path, kind ? 'ENOENT' : 'EPERM');
    this.admit(path);
    this.add(path, kind.attributes ?? {}, false);
    for (const [name, attributes] of Object.entries(kind.groups ?? {})) this.add(`${path}/${name}`, attributes, true);
  }

  async link(path: string, to: string): Promise<void> {
    this.note('link', path);
    if (!this.entries.has(parentOf(path)) || !this.entries.has(to)) throw new ConfigfsFailure(path, 'ENOENT');
    if (this.linked.has(path)) return;
    this.connect(path, to);
    this.linked.set(path, to);
  }

  async unlink(path: string): Promise<void> {
    this.note('unlink', path);
    const to = this.linked.get(path);
    if (to === undefined) return;
    this.linked.delete(path);
    this.disconnect(path, to);
  }

  async remove(path: string): Promise<void> {
    this.note('remove', path);
    if (!this.entries.has(path)) return;
    const inside = [...this.entries].filter(([other]) => other.startsWith(`${path}/`));
    const links = [...this.linked.keys()].filter((other) => other.startsWith(`${path}/`));
    if (inside.some(([, { isDefault }]) => !isDefault) || links.length > 0)
      throw new ConfigfsFailure(path, 'ENOTEMPTY');
    if ([...this.linked.values()].includes(path)) throw new ConfigfsFailure(path, 'EBUSY');
    for (const [other] of inside) this.entries.delete(other);
    this.entries.delete(path);
    this.removed(path);
  }

  async hide(path: string): Promise<void> {
    this.note('hide', path);
    const entry = this.entries.get(path);
    if (!entry) throw new ConfigfsFailure(path, 'ENOENT');
    entry.isHidden = true;
  }

  async isHidden(path: string): Promise<boolean> {
    return this.entries.get(path)?.isHidden === true;
  }

  removeWithSessions(path: string): Promise<void> {
    return this.remove(path);
  }

  writeEndingSessions(path: string, value: string): Promise<void> {
    return this.write(path, value);
  }

  unlinkEndingSessions(path: string): Promise<void> {
    return this.unlink(path);
  }

  /** All objects, links and attributes, without those of statistics. */
  state(): string {
    const lines = Array.from(this.linked, ([path, to]) => `${path} -> ${to}`);
    for (const [path, { attributes, isHidden }] of this.entries) {
      lines.push(`${path}${isHidden ? ' hidden' : ''}`);
      for (const [name, value] of attributes) lines.push(`${path}/${name}=${value}`);
    }
    return lines.toSorted().join('\n');
  }

  protected attribute(path: string): { value: string; set: (value: string) => void } | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const attributes = this.entries.get(parentOf(path))?.attributes;
    const value = attributes?.get(name);
    return value === undefined ? undefined : { value, set: (next) => void attributes?.set(name, next) };
  }

  private add(path: string, attributes: Attributes, isDefault: boolean): void {
    this.entries.set(path, { attributes: new Map(Object.entries(attributes)), isDefault, isHidden: false });
  }

  private below(paths: Iterable<string>, path: string): string[] {
    return [...paths]
      .filter((one) => parentOf(one) === path && one !== '')
      .map((one) => one.slice(path === '' ? 0 : path.length + 1));
  }

  private note(change: string, path: string): void {
    this.before(change, path);
    this.changes.push(`${change} ${path}`);
  }
}

export function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}
