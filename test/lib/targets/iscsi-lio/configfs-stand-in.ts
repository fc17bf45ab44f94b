import { statSync } from 'node:fs';
import { type Configfs, ConfigfsFailure } from '../../../../lib/targets/iscsi-lio/configfs.ts';

interface Entry {
  attributes: Map<string, string>;
  /** Made by the kernel with its parent; removed with it. */
  isDefault: boolean;
  isHidden: boolean;
}

type Attributes = Readonly<Record<string, string>>;

/** What the kernel makes with an object of each kind: its attributes, and below it the groups that it has from the beginning. */
const kinds: readonly { path: RegExp; attributes?: Attributes; groups?: Readonly<Record<string, Attributes>> }[] = [
  { path: /^core\/(iblock|fileio)_\d+$/ },
  {
    path: /^core\/(iblock|fileio)_\d+\/[^/]+$/,
    attributes: { enable: '0', udev_path: '', info: '', control: '' },
    groups: { wwn: { vpd_unit_serial: 'T10 VPD Unit Serial Number: ', vendor_id: '', product_id: '' }, statistics: {} },
  },
  { path: /^iscsi$/, groups: { discovery_auth: {} } },
  { path: /^iscsi\/[^/]+$/, groups: { fabric_statistics: {}, param: {} } },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+$/,
    attributes: { enable: '0', dynamic_sessions: '' },
    groups: {
      acls: {},
      lun: {},
      np: {},
      param: {},
      auth: { userid: '', password: '' },
      attrib: {
        authentication: '1',
        generate_node_acls: '0',
        demo_mode_write_protect: '1',
        prod_mode_write_protect: '0',
        demo_mode_discovery: '1',
      },
    },
  },
  { path: /^iscsi\/[^/]+\/tpgt_\d+\/lun\/lun_\d+$/, groups: { statistics: {} } },
  { path: /^iscsi\/[^/]+\/tpgt_\d+\/np\/[^/]+$/ },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+\/acls\/[^/]+$/,
    groups: { auth: { userid: '', password: '' }, attrib: {}, param: {}, fabric_statistics: {} },
  },
  {
    path: /^iscsi\/[^/]+\/tpgt_\d+\/acls\/[^/]+\/lun_\d+$/,
    attributes: { write_protect: '0' },
    groups: { statistics: {} },
  },
];

/** A session of a stand-in. */
export interface StandInLogin {
  group: string;
  initiator: string;
  isOpen: boolean;
}

/**
 * A tree in memory that plays configfs with LIO: attributes exist with their object, an object with others below it or links to it stays, a
 * device is opened when it is enabled, a serial number is final once it is exported. Sessions end with their ACL or their group.
 */
export class ConfigfsStandIn implements Configfs {
  /** Changes that were made, by method and path. */
  readonly changes: string[] = [];
  readonly logins: StandInLogin[] = [];
  /** Called before a change; it can throw. */
  before: (change: string, path: string) => void = () => {};
  private readonly entries = new Map<string, Entry>();
  private readonly linked = new Map<string, string>();

  constructor() {
    this.add('', {}, true);
    this.add('core', {}, true);
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
    const [, backstore, name] = /^(core\/[^/]+\/[^/]+)\/(.+)$/.exec(path) ?? [];
    if (backstore === undefined) found.set(value);
    else this.writeBackstore(backstore, name ?? '', value, found.set);
    if (path.endsWith('/enable') && value === '0') this.endLogins(path.slice(0, -'/enable'.length));
  }

  async create(path: string): Promise<void> {
    this.note('create', path);
    if (this.entries.has(path)) return;
    const kind = kinds.find((one) => one.path.test(path));
    if (!kind || !this.entries.has(parentOf(path))) throw new ConfigfsFailure(path, kind ? 'ENOENT' : 'EPERM');
    const [portal] = /(?<=\/np\/).*/.exec(path) ?? [];
    const isTaken = (other: string) => portal !== undefined && clash(/(?<=\/np\/).*/.exec(other)?.[0] ?? '', portal);
    if ([...this.entries.keys()].some(isTaken)) throw new ConfigfsFailure(path, 'EADDRINUSE');
    this.add(path, kind.attributes ?? {}, false);
    for (const [name, attributes] of Object.entries(kind.groups ?? {})) this.add(`${path}/${name}`, attributes, true);
  }

  async link(path: string, to: string): Promise<void> {
    this.note('link', path);
    if (!this.entries.has(parentOf(path)) || !this.entries.has(to)) throw new ConfigfsFailure(path, 'ENOENT');
    if (to.startsWith('core/') && this.attribute(`${to}/enable`)?.value !== '1')
      throw new ConfigfsFailure(path, 'ENODEV');
    this.linked.set(path, to);
    const [, group, acl] = /^(iscsi\/[^/]+\/tpgt_\d+)(\/acls\/[^/]+\/lun_\d+)\/[^/]+$/.exec(path) ?? [];
    if (group === undefined) return;
    const isReadOnly = this.attribute(`${group}/attrib/prod_mode_write_protect`)?.value ?? '0';
    this.attribute(`${group}${acl}/write_protect`)?.set(isReadOnly);
  }

  async unlink(path: string): Promise<void> {
    this.note('unlink', path);
    this.linked.delete(path);
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
  }

  async hide(path: string): Promise<void> {
    this.note('hide', path);
    const entry = this.entries.get(path);
    if (!entry) throw new ConfigfsFailure(path, 'ENOENT');
    entry.isHidden = true;
  }

  async removeWithSessions(path: string): Promise<void> {
    await this.remove(path);
    const [, group = '', initiator] = /^(.*)\/acls\/([^/]+)$/.exec(path) ?? [];
    this.endLogins(group, initiator);
  }

  writeEndingSessions(path: string, value: string): Promise<void> {
    return this.write(path, value);
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

  private writeBackstore(path: string, name: string, value: string, set: (value: string) => void): void {
    const isFile = path.includes('/fileio_');
    const isEnabled = this.attribute(`${path}/enable`)?.value === '1';
    const info = this.attribute(`${path}/info`);
    if (name === 'enable') {
      const device = /(?:fd_dev_name|udev_path)=([^,]+)/.exec(this.attribute(`${path}/control`)?.value ?? '')?.[1];
      if (value !== '1' || isEnabled || device === undefined) throw new ConfigfsFailure(path, 'EINVAL');
      if (!statSync(device, { throwIfNoEntry: false })) throw new ConfigfsFailure(path, 'ENOENT');
      set('1');
    } else if (name === 'control') {
      const size = /fd_dev_size=(\d+)/.exec(value)?.[1] ?? '0';
      const mode = value.includes('fd_buffered_io=1') ? 'Buffered-WCE' : 'O_DSYNC';
      const before = /Mode: (\S+)/.exec(info?.value ?? '')?.[1];
      if (!isEnabled) set(value);
      if (isFile)
        info?.set(`Status: ACTIVATED\n        File: x  Size: ${size} Mode: ${isEnabled ? before : mode} Async: 0`);
    } else if (name === 'wwn/vpd_unit_serial') {
      if ([...this.linked.values()].includes(path)) throw new ConfigfsFailure(path, 'EINVAL');
      set(`T10 VPD Unit Serial Number: ${value}`);
    } else set(value);
  }

  private endLogins(group: string, initiator?: string): void {
    for (const login of this.logins) {
      if (login.group === group && (initiator ?? login.initiator) === login.initiator) login.isOpen = false;
    }
  }

  private attribute(path: string): { value: string; set: (value: string) => void } | undefined {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const attributes = this.entries.get(parentOf(path))?.attributes;
    const value = attributes?.get(name);
    return value === undefined ? undefined : { value, set: (next) => void attributes?.set(name, next) };
  }

  private add(path: string, attributes: Attributes, isDefault: boolean): void {
    this.entries.set(path, { attributes: new Map(Object.entries(attributes)), isDefault, isHidden: false });
  }

  private below(paths: Iterable<string>, path: string): string[] {
    return [...paths].filter((one) => parentOf(one) === path).map((one) => one.slice(path.length + 1));
  }

  private note(change: string, path: string): void {
    this.before(change, path);
    this.changes.push(`${change} ${path}`);
  }
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf('/')));
}

/** Targets share a portal; one of all addresses excludes the others on its port. */
function clash(one: string, other: string): boolean {
  const [port, otherPort] = [one, other].map((text) => text.split(':').at(-1));
  return port === otherPort && one !== other && [one, other].some((text) => text.startsWith('0.0.0.0:'));
}
