/** What `tgtadm --op show` prints, as data. */

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

interface Lists {
  initiators: string[];
  units: ShownUnit[];
  accounts: string[];
  acl: string[];
}

type Section = 'nexus' | 'units' | 'accounts' | 'acl' | '';

const sections: Readonly<Record<string, Section>> = {
  'I_T nexus information:': 'nexus',
  'LUN information:': 'units',
  'Account information:': 'accounts',
  'ACL information:': 'acl',
};

/** `--mode target`: each level is indented by four spaces. */
export function parseTargets(text: string): ShownTarget[] {
  const targets: (ShownTarget & Lists)[] = [];
  let section: Section = '';
  for (const line of text.split('\n')) {
    const [, tid, name] = /^Target (\d+): (.*)$/.exec(line) ?? [];
    if (name !== undefined) targets.push({ tid: Number(tid), name, initiators: [], units: [], accounts: [], acl: [] });
    const target = targets.at(-1);
    const { length: indent } = /^ */.exec(line)?.[0] ?? '';
    const value = line.trim();
    if (!target || value === '') continue;
    if (indent === 4) section = sections[value] ?? '';
    else if (section === 'nexus') target.initiators.push(...(/^Initiator: (\S+)/.exec(value)?.slice(1) ?? []));
    else if (section === 'units') readUnit(target.units, value);
    else if (indent === 8 && section === 'accounts') target.accounts.push(value);
    else if (indent === 8 && section === 'acl') target.acl.push(value);
  }
  return targets;
}

function readUnit(units: ShownUnit[], line: string): void {
  const [, key, value = ''] = /^([^:]+):(?: (.*))?$/.exec(line) ?? [];
  if (key === 'LUN') units.push({ lun: Number(value), path: '', serial: '', isReadOnly: false, isOnline: false });
  const unit = units.at(-1);
  if (!unit) return;
  if (key === 'Backing store path') unit.path = value === 'None' ? '' : value;
  else if (key === 'SCSI SN') unit.serial = value.trim();
  else if (key === 'Readonly') unit.isReadOnly = value === 'Yes';
  else if (key === 'Online') unit.isOnline = value === 'Yes';
}

/** `--mode conn --tid N`. */
export function parseConnections(text: string): ShownConnection[] {
  const connections: ShownConnection[] = [];
  let session = 0;
  for (const line of text.split('\n').map((one) => one.trim())) {
    const [, key, value = ''] = /^(Session|Connection|Initiator): (\S+)/.exec(line) ?? [];
    const last = connections.at(-1);
    if (key === 'Session') session = Number(value);
    else if (key === 'Connection') connections.push({ session, connection: Number(value), initiator: '' });
    else if (key === 'Initiator' && last) last.initiator = value;
  }
  return connections;
}

/** `--mode portal`: `<ip>:<port>` of each, without its portal group. */
export function parsePortals(text: string): string[] {
  return [...text.matchAll(/^Portal: (\S+),\d+$/gm)].flatMap(([, portal]) => portal ?? []);
}
