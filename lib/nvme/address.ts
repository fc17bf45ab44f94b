import { errors } from '../errors.ts';
import { type Portal, portalText, tryParsePortal } from '../iscsi/address.ts';
import { isId } from '../models/id.ts';

/**
 * The NVMe address type, `<ip>:<port> tcp <NQN of the subsystem> <namespace>`, the provider_location of the family; an IPv6 address is in
 * brackets. All other code handles an address as opaque text; this is the only file that knows its form.
 */
export interface NvmeAddress extends Portal {
  /** Of a subsystem that is one volume's alone. */
  nqn: string;
  /** The volume, whose id the name has. */
  volume: string;
}

/** Of the NVMe specification: a name has at most so many bytes. */
const maxNameLength = 223;
const volumeName = 'volume-';
/** The only one of a subsystem. */
export const volumeNamespace = 1;

/** Returns undefined for any text that is not the canonical form of a valid address. */
export function tryParseNvmeAddress(text: string): NvmeAddress | undefined {
  const [, portal = '', nqn = '', number] = /^(\S+) tcp (\S+) (\d+)$/.exec(text) ?? [];
  const at = tryParsePortal(portal);
  const volume = volumeOfNqn(nqn);
  return at && volume !== undefined && number === String(volumeNamespace) ? { ...at, nqn, volume } : undefined;
}

/** The address of a volume in a subsystem of its own. Throws InvalidArgument. */
export function nvmeAddress(portal: Portal, prefix: string, id: string): string {
  const text = formatted(portal, nqnOf(prefix, id));
  if (tryParseNvmeAddress(text)) return text;
  throw errors.invalidArgument('NVMe address', text, 'of the form <ip>:<port> tcp <NQN> 1');
}

/** The address of any subsystem that is found. */
export function formatted(portal: Portal, nqn: string): string {
  return `${portalText(portal)} tcp ${nqn} ${volumeNamespace}`;
}

/** The name of the subsystem that exports a volume. */
export function nqnOf(prefix: string, id: string): string {
  return `${prefix}${volumeName}${id}`;
}

/** Returns the volume of a subsystem that is named as nqnOf() names it, whatever its prefix; undefined for any other one. */
export function volumeOfNqn(nqn: string): string | undefined {
  const at = nqn.lastIndexOf(volumeName);
  const id = at === -1 ? '' : nqn.slice(at + volumeName.length);
  return isNqn(nqn) && isId(id) ? id : undefined;
}

/** Whether a text is a qualified name that can be that of a file: without spaces and slashes. */
export function isNqn(text: string): boolean {
  return text.length <= maxNameLength && /^nqn\.\d{4}-(0[1-9]|1[0-2])\.[!-.0-~]+$/.test(text);
}

/** Returns the names of hosts sorted, without duplicates: lists that admit the same hosts are equal. Throws InvalidArgument. */
export function hostNqns(texts: readonly string[]): string[] {
  return [...new Set(texts.map(parseHostNqn))].toSorted();
}

/** Each character counts, capital letters as well. Throws InvalidArgument. */
function parseHostNqn(text: string): string {
  const name = text.trim();
  if (isNqn(name)) return name;
  throw errors.invalidArgument(
    'host NQN',
    text,
    `a name nqn.… of at most ${maxNameLength} characters, as /etc/nvme/hostnqn has it`,
  );
}

/** What hosts see of the device of a volume. Derived from its id alone: no two volumes have one of them in common. */
export interface NvmeIdentity {
  /** UUID and NGUID of the namespace. */
  uuid: string;
  /** Of the subsystem: 20 of the id's 32 digits. */
  serial: string;
}

export function nvmeIdentityOf(id: string): NvmeIdentity {
  return { uuid: id, serial: id.replaceAll('-', '').slice(0, 20) };
}
