import { errors } from '../../errors.ts';

/**
 * What `tgtadm --op show` prints, as data. An answer of any other form throws AnswerUnreadable: what is not found in it would be taken for
 * absent.
 */

export interface ShownTarget {
  /** tgtd's number of the target. */
  tid: number;
  name: string;
  /** Hosts with a session. */
  initiators: readonly string[];
  units: readonly ShownUnit[];
  /** Users of CHAP. */
  accounts: readonly string[];
  /** Initiator names, and addresses (ALL for every one). None: no host sees the target. */
  acl: readonly string[];
}

export interface ShownUnit {
  lun: number;
  path: string;
  serial: string;
  isReadOnly: boolean;
  isOnline: boolean;
}

export interface ShownConnection {
  session: number;
  connection: number;
  initiator: string;
}

/** A line with those below it. */
interface Row {
  text: string;
  below: Row[];
}

const step = '    ';

/** `--mode target`. Throws AnswerUnreadable. */
export function parseTargets(text: string): ShownTarget[] {
  return parsed('target', text, (rows) => rows.map(shownTarget));
}

/** `--mode conn --tid N`. Throws AnswerUnreadable. */
export function parseConnections(text: string): ShownConnection[] {
  return parsed('conn', text, (rows) =>
    rows.flatMap((row) => {
      const [session] = match(row, /^Session: (\d+)$/);
      return row.below.map((one) => {
        const [connection] = match(one, /^Connection: (\d+)$/);
        return { session: Number(session), connection: Number(connection), initiator: initiatorBelow(one) };
      });
    }),
  );
}

/** `--mode portal`: `<ip>:<port>` of each, without its portal group. Throws AnswerUnreadable. */
export function parsePortals(text: string): string[] {
  return parsed('portal', text, (rows) => rows.map((row) => match(row, /^Portal: (\S+),\d+$/)[0] ?? ''));
}

/** What a row is not. */
class Unreadable extends Error {
  readonly line: string;

  constructor(line: string) {
    super(line);
    this.line = line;
  }
}

function parsed<T>(mode: string, text: string, read: (rows: Row[]) => T): T {
  try {
    return read(rowsOf(text));
  } catch (error) {
    if (!(error instanceof Unreadable)) throw error;
    const hint = 'check the version of tgtd and tgtadm (package tgt): they print another form than is known';
    throw errors.answerUnreadable(`tgtadm --op show --mode ${mode}`, error.line, hint);
  }
}

function rowsOf(text: string): Row[] {
  const top: Row[] = [];
  const open = [top];
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const [indent = ''] = /^ */.exec(line) ?? [];
    const list = open[indent.length / step.length];
    if (!list) throw new Unreadable(line);
    const row = { text: line.trim(), below: [] };
    list.push(row);
    open.splice(indent.length / step.length + 1, Infinity, row.below);
  }
  return top;
}

function shownTarget(row: Row): ShownTarget {
  const [tid, name = ''] = match(row, /^Target (\d+): (.+)$/);
  return {
    tid: Number(tid),
    name,
    initiators: section(row, 'I_T nexus information:').map((nexus) => {
      match(nexus, /^I_T nexus: \d+$/);
      return initiatorBelow(nexus);
    }),
    units: section(row, 'LUN information:').map(shownUnit),
    accounts: section(row, 'Account information:').map(({ text }) => text),
    acl: section(row, 'ACL information:').map(({ text }) => text),
  };
}

function section(target: Row, title: string): Row[] {
  const found = target.below.find(({ text }) => text === title);
  if (!found) throw new Unreadable(`${target.text} without "${title}"`);
  return found.below;
}

function shownUnit(row: Row): ShownUnit {
  const [lun] = match(row, /^LUN: (\d+)$/);
  const path = field(row, 'Backing store path', /^(.*)$/);
  return {
    lun: Number(lun),
    path: path === 'None' ? '' : path,
    serial: field(row, 'SCSI SN', /^(.*)$/),
    isReadOnly: field(row, 'Readonly', /^(Yes|No)$/) === 'Yes',
    isOnline: field(row, 'Online', /^(Yes|No)$/) === 'Yes',
  };
}

function initiatorBelow(row: Row): string {
  return field(row, 'Initiator', /^(\S+)(?: alias: .*)?$/);
}

/** Returns the value of `key: value` below a row, or what the pattern has of it. */
function field(row: Row, key: string, pattern: RegExp): string {
  const found = row.below.find(({ text }) => text === `${key}:` || text.startsWith(`${key}: `));
  const value = found && pattern.exec(found.text.slice(key.length + 1).trim())?.[1];
  if (value === undefined) throw new Unreadable(found?.text ?? `${row.text} without "${key}"`);
  return value;
}

/** Returns the groups of the pattern. */
function match({ text }: Row, pattern: RegExp): string[] {
  const found = pattern.exec(text);
  if (!found) throw new Unreadable(text);
  return found.slice(1);
}
