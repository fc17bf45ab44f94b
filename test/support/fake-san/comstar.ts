import { type Answer, done, refused } from './device.ts';
import type { FakeZfs } from './zfs.ts';

interface Unit {
  path: string;
  size: number;
  serial: string;
  isProtected: boolean;
  views: { entry: number; hostGroup: string; targetGroup: string; lun: number }[];
}

const devices = '/dev/zvol/rdsk/';

/** Logical units, groups and iSCSI targets, with the words of stmfadm, sbdadm and itadm. */
export class FakeComstar {
  readonly units = new Map<string, Unit>();
  readonly targets = new Map<string, boolean>();
  /** What targets have of their own: chap or none. */
  readonly authentication = new Map<string, string>();
  readonly initiators = new Map<string, { user: string; secret: string }>();
  readonly targetGroups = new Map<string, Set<string>>();
  readonly hostGroups = new Map<string, Set<string>>();
  private readonly zfs: FakeZfs;
  /** How often a target went offline, which ends its sessions. */
  private readonly ends = new Map<string, number>();
  private made = 0;

  constructor(zfs: FakeZfs) {
    this.zfs = zfs;
  }

  stmfadm([verb = '', ...args]: readonly string[]): Answer {
    const target = args.at(-1) ?? '';
    const verbs: Readonly<Record<string, () => Answer>> = {
      'list-lu': () => done([...this.units].map(([guid, unit]) => shownUnit(guid, unit)).join('')),
      'create-lu': () => this.createUnit(args),
      'modify-lu': () => this.modify(target, (unit) => (unit.isProtected = args.includes('wp=true'))),
      'list-view': () => this.listViews(target),
      'add-view': () => this.addView(args),
      'remove-view': () => this.removeView(args),
      'list-tg': () => done(shownGroups('Target group', this.targetGroups)),
      'create-tg': () => create(this.targetGroups, target),
      'delete-tg': () => (this.targetGroups.delete(target) ? done() : refused(`stmfadm: ${target}: not found`)),
      'add-tg-member': () => {
        if (this.targets.get(target)) return refused('stmfadm: STMF target must be offline');
        return addMember(this.targetGroups, args);
      },
      'list-hg': () => done(shownGroups('Host group', this.hostGroups)),
      'create-hg': () => create(this.hostGroups, target),
      'add-hg-member': () => addMember(this.hostGroups, args),
      'offline-target': () => this.switch(target, false),
      'online-target': () => this.switch(target, true),
    };
    return verbs[verb]?.() ?? refused(`stmfadm: unrecognized subcommand: ${verb}`, 2);
  }

  sbdadm([verb = '', ...args]: readonly string[]): Answer {
    const guid = args.at(-1) ?? '';
    if (verb === 'modify-lu') return this.modify(guid, (unit) => (unit.size = Number(args[1])));
    if (verb !== 'delete-lu') return refused(`sbdadm: unrecognized subcommand: ${verb}`, 2);
    const unit = this.units.get(guid);
    if (!unit) return refused('sbdadm: lu: not found');
    this.units.delete(guid);
    this.zfs.busy.delete(unit.path.slice(devices.length));
    return done();
  }

  /** `secret` is what the file of -S has. */
  itadm([verb = '', ...args]: readonly string[], secret?: string): Answer {
    const name = args.at(-1) ?? '';
    const option = (of: string) => (args.includes(of) ? args[args.indexOf(of) + 1] : undefined);
    const verbs: Readonly<Record<string, () => Answer>> = {
      'list-target': () => this.listTargets(args.includes('-v')),
      'create-target': () => {
        if (this.targets.has(name)) return refused(`iSCSI target ${name} already configured`);
        this.targets.set(name, true);
        this.authenticate(name, option('-a') ?? 'default');
        return done(`Target ${name} successfully created\n`);
      },
      'modify-target': () => {
        if (!this.targets.has(name)) return refused(`Target ${name} not found`, 22);
        this.authenticate(name, option('-a') ?? 'default');
        return done(`Target ${name} successfully modified\n`);
      },
      'delete-target': () => {
        if (this.targets.get(name)) return refused('itadm: target is online, use the -f option to override');
        this.targets.delete(name);
        this.authentication.delete(name);
        return done();
      },
      'list-initiator': () => this.listInitiators(),
      'create-initiator': () => {
        if (this.initiators.has(name)) return refused(`Initiator ${name} already exists`, 22);
        return this.setInitiator(name, option('-u'), secret);
      },
      'modify-initiator': () => {
        if (!this.initiators.has(name)) return refused(`Error, initiator ${name} not found.`, 2);
        return this.setInitiator(name, option('-u'), secret);
      },
      'delete-initiator': () => (this.initiators.delete(name) ? done() : refused(`Initiator ${name} not found`)),
    };
    return verbs[verb]?.() ?? refused(`itadm: unrecognized subcommand: ${verb}`, 2);
  }

  /** The session of a host that logs in with that user and secret; undefined where it is refused. It ends when another one is its own. */
  login(targetName: string, host: string, chap?: { user: string; secret: string }): number | undefined {
    if (this.targets.get(targetName) !== true) return undefined;
    const { user = host, secret } = this.initiators.get(host) ?? {};
    const isRight =
      chap && secret !== undefined && secret !== '' && chap.secret === secret && chap.user === (user || host);
    return this.authentication.get(targetName) !== 'chap' || isRight ? this.session(targetName) : undefined;
  }

  /** Of the logins since the target was last offline. */
  session(targetName: string): number {
    return this.ends.get(targetName) ?? 0;
  }

  clear(): void {
    const { units, targets, authentication, initiators, targetGroups, hostGroups } = this;
    for (const all of [units, targets, authentication, initiators, targetGroups, hostGroups]) all.clear();
  }

  /** The unit that the host sees at the target; undefined when it sees none. */
  seen(targetName: string, lun: number, host: string): Unit | undefined {
    const groups = (all: Map<string, Set<string>>, member: string) => [
      'All',
      ...[...all].filter(([, members]) => members.has(member)).map(([name]) => name),
    ];
    if (this.targets.get(targetName) !== true) return undefined;
    const targetGroups = groups(this.targetGroups, targetName);
    const hostGroups = groups(this.hostGroups, host);
    return [...this.units.values()].find(({ views }) =>
      views.some(
        (view) => view.lun === lun && targetGroups.includes(view.targetGroup) && hostGroups.includes(view.hostGroup),
      ),
    );
  }

  private createUnit(args: readonly string[]): Answer {
    const path = args.at(-1) ?? '';
    const name = path.slice(devices.length);
    const size = this.zfs.datasets.get(name)?.size;
    if (size === undefined) return refused(`stmfadm: invalid path name or file not found: ${path}`);
    if ([...this.units.values()].some((unit) => unit.path === path)) return refused('stmfadm: filename is in use');
    this.made += 1;
    const guid = `600144F0B5418B0000004D${this.made.toString(16).toUpperCase().padStart(10, '0')}`;
    const serial = args.find((arg) => arg.startsWith('serial='))?.slice('serial='.length) ?? '';
    this.units.set(guid, { path, size, serial, isProtected: args.includes('wp=true'), views: [] });
    this.zfs.busy.add(name);
    return done(`Logical unit created: ${guid}\n`);
  }

  private modify(guid: string, change: (unit: Unit) => unknown): Answer {
    const unit = this.units.get(guid);
    if (!unit) return refused(`stmfadm: ${guid}: not found`);
    change(unit);
    return done();
  }

  private listViews(guid: string): Answer {
    const views = this.units.get(guid)?.views ?? [];
    if (views.length === 0) return refused(`stmfadm: ${guid}: no views found`);
    return done(
      views
        .map(
          ({ entry, hostGroup, targetGroup, lun }) =>
            `View Entry: ${entry}\n    Host group   : ${hostGroup}\n    Target group : ${targetGroup}\n    LUN          : ${lun}\n`,
        )
        .join(''),
    );
  }

  private addView(args: readonly string[]): Answer {
    const option = (name: string) => (args.includes(name) ? args[args.indexOf(name) + 1] : undefined);
    const unit = this.units.get(args.at(-1) ?? '');
    const view = { hostGroup: option('-h') ?? 'All', targetGroup: option('-t') ?? 'All', lun: Number(option('-n')) };
    if (!unit) return refused('stmfadm: logical unit not found');
    if (view.hostGroup !== 'All' && !this.hostGroups.has(view.hostGroup))
      return refused('stmfadm: host group not found');
    if (view.targetGroup !== 'All' && !this.targetGroups.has(view.targetGroup))
      return refused('stmfadm: target group not found');
    const isSame = ({ hostGroup, targetGroup }: typeof view) =>
      hostGroup === view.hostGroup && targetGroup === view.targetGroup;
    if (unit.views.some(isSame)) return refused('stmfadm: view entry exists');
    unit.views.push({ entry: Math.max(-1, ...unit.views.map(({ entry }) => entry)) + 1, ...view });
    return done();
  }

  private removeView(args: readonly string[]): Answer {
    const unit = this.units.get(args[args.indexOf('-l') + 1] ?? '');
    if (!unit) return refused('stmfadm: logical unit not found');
    unit.views = args.includes('-a') ? [] : unit.views.filter(({ entry }) => String(entry) !== args.at(-1));
    return done();
  }

  private authenticate(name: string, method: string): void {
    if (method === 'default') this.authentication.delete(name);
    else this.authentication.set(name, method);
  }

  private setInitiator(name: string, user = this.initiators.get(name)?.user ?? '', secret?: string): Answer {
    if (secret !== undefined && (secret.length < 12 || secret.length > 255)) {
      return refused('Secret must be between 12 and 255 characters', 22);
    }
    this.initiators.set(name, { user, secret: secret ?? this.initiators.get(name)?.secret ?? '' });
    return done();
  }

  private listTargets(isVerbose: boolean): Answer {
    if (this.targets.size === 0) return done();
    const rows = [...this.targets].map(([name, isOnline]) => {
      const own = this.authentication.get(name);
      const properties = {
        alias: '-',
        auth: own === undefined ? 'none (defaults)' : `${own} `,
        targetchapuser: '-',
        targetchapsecret: 'unset',
        'tpg-tags': 'default',
      };
      const shown = Object.entries(properties).map(([one, value]) => `\t${`${one}:`.padEnd(20)}\t${value}\n`);
      return `${column(name, 61)}${(isOnline ? 'online' : 'offline').padEnd(9)}${'0'.padEnd(9)}\n${isVerbose ? shown.join('') : ''}`;
    });
    return done(`${'TARGET NAME'.padEnd(61)}${'STATE'.padEnd(9)}${'SESSIONS'.padEnd(9)}\n${rows.join('')}`);
  }

  private listInitiators(): Answer {
    if (this.initiators.size === 0) return done();
    const rows = [...this.initiators].map(
      ([name, { user, secret }]) =>
        `${column(name, 61)}${column(user || '<none>', 15)}${(secret === '' ? 'unset' : 'set').padEnd(4)}\n`,
    );
    return done(`${'INITIATOR NAME'.padEnd(61)}${'CHAPUSER'.padEnd(10)}${'SECRET'.padEnd(7)}\n${rows.join('')}`);
  }

  private switch(name: string, isOnline: boolean): Answer {
    if (!this.targets.has(name)) return refused(`stmfadm: ${name}: not found`);
    if (!isOnline) this.ends.set(name, this.session(name) + 1);
    this.targets.set(name, isOnline);
    return done();
  }
}

/** Of a table, with a tab after what fills it. */
function column(text: string, width: number): string {
  return `${text.padEnd(width)}${text.length >= width ? '\t' : ''}`;
}

function create(groups: Map<string, Set<string>>, name: string): Answer {
  if (groups.has(name)) return refused(`stmfadm: ${name}: already exists`);
  groups.set(name, new Set());
  return done();
}

function addMember(groups: Map<string, Set<string>>, args: readonly string[]): Answer {
  const member = args.at(-1) ?? '';
  const group = groups.get(args[args.indexOf('-g') + 1] ?? '');
  if (!group) return refused('stmfadm: group not found');
  if ([...groups.values()].some((members) => members.has(member))) return refused(`stmfadm: ${member}: already exists`);
  group.add(member);
  return done();
}

function shownGroups(title: string, groups: Map<string, Set<string>>): string {
  return [...groups]
    .map(([name, members]) => `${title}: ${name}\n${[...members].map((member) => `\tMember: ${member}\n`).join('')}`)
    .join('');
}

function shownUnit(guid: string, { path, size, serial, isProtected, views }: Unit): string {
  const rows = {
    'Operational Status': 'Online',
    'Provider Name': 'sbd',
    Alias: path,
    'View Entry Count': views.length,
    'Data File': path,
    'Meta File': 'not set',
    Size: size,
    'Block Size': 512,
    'Management URL': 'not set',
    'Vendor ID': 'SUN     ',
    'Product ID': 'COMSTAR         ',
    'Serial Num': serial || 'not set',
    'Write Protect': isProtected ? 'Enabled' : 'Disabled',
    'Writeback Cache': 'Enabled',
    'Access State': 'Active',
  };
  return `LU Name: ${guid}\n${Object.entries(rows)
    .map(([name, value]) => `    ${name.padEnd(23)}: ${value}\n`)
    .join('')}`;
}
