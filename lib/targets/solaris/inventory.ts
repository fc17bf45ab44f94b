import { errors } from '../../errors.ts';
import type { SolarisCommands } from '../../san/solaris/commands.ts';
import { datasetOf } from '../../san/solaris/flags.ts';

/** A logical unit, COMSTAR's representation of a volume. */
export interface LogicalUnit {
  guid: string;
  path: string;
  sizeBytes: number;
  isReadOnly: boolean;
  /** Whether there are views at all. */
  hasViews: boolean;
}

/** Which hosts see a logical unit through which targets. */
export interface View {
  /** Its number, as remove-view takes it. */
  entry: string;
  /** `All`, or the name of a group. */
  hostGroup: string;
  targetGroup: string;
  lun: number;
}

/** What COMSTAR has of an initiator. */
export interface Initiator {
  /** '' = the name of the initiator itself. */
  user: string;
  hasSecret: boolean;
}

export interface Inventory {
  /** By path. */
  units: ReadonlyMap<string, LogicalUnit>;
  /** By GUID. */
  views: ReadonlyMap<string, readonly View[]>;
  /** Targets by name: whether they are online. */
  targets: ReadonlyMap<string, boolean>;
  /** Those that ask for a user and secret, whatever the storage has as its default. */
  chapTargets: ReadonlySet<string>;
  /** By name. */
  initiators: ReadonlyMap<string, Initiator>;
  targetGroups: ReadonlyMap<string, readonly string[]>;
  hostGroups: ReadonlyMap<string, readonly string[]>;
  /** Sizes of ZFS volumes by path, in bytes. */
  volumes: ReadonlyMap<string, number>;
}

export const devices = '/dev/zvol/rdsk/';

/** The logical units whose views one command lists. */
const unitsPerCommand = 500;
/** Prints each GUID and its views. stmfadm fails for a unit that has none by now: its words show whether that is the reason. */
const listViews = 'for g in "$@"; do echo "LU: $g"; pfexec stmfadm list-view -l "$g" 2>&1 || echo "exit code $?"; done';

/** Reads everything of COMSTAR and the sizes of the volumes below `base`, in a number of commands that hardly grows with it. */
export async function readInventory(commands: SolarisCommands, base: string): Promise<Inventory> {
  const sizes = ['zfs', 'list', '-Hp', '-r', '-t', 'volume', '-o', 'name,volsize', datasetOf(base)];
  const [units, targets, initiators, targetGroups, hostGroups, volumes] = await Promise.all([
    commands.lines(['stmfadm', 'list-lu', '-v']).then(unitsIn),
    commands.lines(['itadm', 'list-target', '-v']).then(targetsIn),
    readInitiators(commands),
    commands.lines(['stmfadm', 'list-tg', '-v']).then(groupsIn),
    commands.lines(['stmfadm', 'list-hg', '-v']).then(groupsIn),
    commands.lines(sizes).then((lines) => new Map(lines.map((line) => sizeIn(line, sizes.join(' '))))),
  ]);
  const viewed = units.filter(({ path, hasViews }) => hasViews && path.startsWith(devices + base));
  const views = new Map<string, View[]>();
  for (let first = 0; first < viewed.length; first += unitsPerCommand) {
    const guids = viewed.slice(first, first + unitsPerCommand).map(({ guid }) => guid);
    for (const [guid, list] of viewsIn(await commands.script(listViews, guids))) views.set(guid, list);
  }
  return {
    units: new Map(units.map((unit) => [unit.path, unit])),
    views,
    targets: new Map([...targets].map(([name, { isOnline }]) => [name, isOnline])),
    chapTargets: new Set([...targets].flatMap(([name, { hasChap }]) => (hasChap ? [name] : []))),
    initiators,
    targetGroups,
    hostGroups,
    volumes,
  };
}

/** `LU Name: GUID` and indented `Name : value` rows. Throws AnswerUnreadable. */
function unitsIn(lines: readonly string[]): LogicalUnit[] {
  return blocksIn(lines, /^LU Name: ([0-9A-F]{32})$/i, 'stmfadm list-lu -v').map(({ head: guid, rows }) => {
    const values = new Map(rows.map((row) => pairIn(row, 'stmfadm list-lu -v')));
    const value = (name: string) => {
      const found = values.get(name);
      if (found === undefined) throw errors.answerUnreadable('stmfadm list-lu -v', `${guid} without ${name}`);
      return found;
    };
    return {
      guid,
      path: value('data file'),
      sizeBytes: Number(value('size')),
      isReadOnly: value('write protect') === 'Enabled',
      hasViews: value('view entry count') !== '0',
    };
  });
}

/** Throws SanCommandFailed, AnswerUnreadable. */
export async function readInitiators(commands: SolarisCommands): Promise<Map<string, Initiator>> {
  const command = ['itadm', 'list-initiator'];
  const [header = '', ...rows] = await commands.lines(command);
  if (header !== '' && !/^INITIATOR NAME\s+CHAPUSER\s+SECRET\s*$/.test(header)) {
    throw errors.answerUnreadable(command.join(' '), header);
  }
  return new Map(
    rows.map((row) => {
      const [, name, user, secret] = /^(\S+)\s+(\S.*?)\s+(set|unset)\s*$/.exec(row) ?? [];
      if (name === undefined || user === undefined) throw errors.answerUnreadable(command.join(' '), row);
      return [name, { user: user === '<none>' ? '' : user, hasSecret: secret === 'set' }];
    }),
  );
}

/** A header, then rows of name, state and sessions, each with indented `name: value` rows. Throws AnswerUnreadable. */
function targetsIn(lines: readonly string[]): Map<string, { isOnline: boolean; hasChap: boolean }> {
  const command = 'itadm list-target -v';
  const [header = '', ...rows] = lines;
  if (lines.length > 0 && !/^TARGET NAME\s+STATE\s+SESSIONS\s*$/.test(header)) {
    throw errors.answerUnreadable(command, header);
  }
  const blocks = blocksIn(rows, /^(\S+\s+(?:online|offline|-)\s+\d+)\s*$/, command);
  return new Map(
    blocks.map(({ head, rows: properties }) => {
      const [name = '', state] = head.split(/\s+/);
      const [auth] = properties.flatMap((row) => /^\s+auth:\s+(.*?)\s*$/.exec(row)?.[1] ?? []);
      const other = properties.find((row) => !/^\s/.test(row));
      if (other !== undefined) throw errors.answerUnreadable(command, other);
      if (auth === undefined) throw errors.answerUnreadable(command, `${name} without auth`);
      return [name, { isOnline: state === 'online', hasChap: auth === 'chap' }];
    }),
  );
}

/** `Target group: name` or `Host group: name`, and indented `Member: name` rows. Throws AnswerUnreadable. */
function groupsIn(lines: readonly string[]): Map<string, readonly string[]> {
  const command = 'stmfadm list-tg -v, list-hg -v';
  const blocks = blocksIn(lines, /^(?:Target|Host) group: (\S+)$/i, command);
  return new Map(blocks.map(({ head, rows }) => [head, rows.map((row) => pairIn(row, command)[1])]));
}

/** Throws AnswerUnreadable. */
function viewsIn(lines: readonly string[]): Map<string, View[]> {
  const command = 'stmfadm list-view';
  const units = blocksIn(lines, /^LU: ([0-9A-F]{32})$/i, command);
  return new Map(
    units.map(({ head, rows }) => {
      if (rows.length === 0) throw errors.answerUnreadable(command, `LU: ${head} alone`);
      if (rows.some((row) => /no views found/i.test(row))) return [head, []];
      const views = blocksIn(rows, /^View Entry: (\d+)$/, command);
      return [head, views.map(({ head: entry, rows: values }) => viewIn(entry, values))];
    }),
  );
}

function viewIn(entry: string, rows: readonly string[]): View {
  const values = new Map(rows.map((row) => pairIn(row, 'stmfadm list-view')));
  const [hostGroup, targetGroup, lun] = ['host group', 'target group', 'lun'].map((name) => values.get(name));
  if (hostGroup === undefined || targetGroup === undefined || lun === undefined) {
    throw errors.answerUnreadable('stmfadm list-view', rows.join('\n'));
  }
  return { entry, hostGroup, targetGroup, lun: lun === 'Auto' ? -1 : Number(lun) };
}

interface Block {
  head: string;
  rows: string[];
}

/** Splits lines before each that the pattern matches; its first group is the head. Throws AnswerUnreadable. */
function blocksIn(lines: readonly string[], pattern: RegExp, command: string): Block[] {
  const blocks: Block[] = [];
  for (const line of lines) {
    const [, head] = pattern.exec(line) ?? [];
    const block = blocks.at(-1);
    if (head !== undefined) blocks.push({ head, rows: [] });
    else if (block) block.rows.push(line);
    else throw errors.answerUnreadable(command, line);
  }
  return blocks;
}

/** Names in lower case: their case differs between versions. */
function pairIn(row: string, command: string): [string, string] {
  const [, name, value] = /^\s+([A-Za-z ]+?)\s*: ?(.*?)\s*$/.exec(row) ?? [];
  if (name === undefined || value === undefined) throw errors.answerUnreadable(command, row);
  return [name.toLowerCase(), value];
}

function sizeIn(line: string, command: string): [string, number] {
  const [name = '', size = ''] = line.split('\t');
  if (!/^\d+$/.test(size)) throw errors.answerUnreadable(command, line);
  return [devices + name, Number(size)];
}
