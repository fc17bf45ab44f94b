import { createHash } from 'node:crypto';
import { isIP, isIPv6 } from 'node:net';
import { errors } from '../errors.ts';

/**
 * The iSCSI address type, `<ip>:<port>,<portal group> <target name> <LUN>`, the provider_location of the family; an IPv6 address
 * is in brackets. All other code handles an address as opaque text; this is the only file that knows its form.
 */
export interface IscsiAddress {
  ip: string;
  port: number;
  portalGroup: number;
  targetName: string;
  lun: number;
}

/** Where a target listens. */
export type Portal = Pick<IscsiAddress, 'ip' | 'port'>;

/** Of RFC 3720: iqn., eui. and naa. names have at most so many bytes. */
const maxNameLength = 223;
const lastPortalGroup = 65_535;
const lastLun = 16_383;
const volumeName = 'volume-';

/** Returns undefined for any text that is not the canonical form of a valid address. */
export function tryParseIscsiAddress(text: string): IscsiAddress | undefined {
  const [, portal = '', group, targetName = '', lun] =
    /^(\S+),(0|[1-9]\d{0,4}) (\S+) (0|[1-9]\d{0,4})$/.exec(text) ?? [];
  const address = { ...tryParsePortal(portal), portalGroup: Number(group), targetName, lun: Number(lun) };
  const { ip, port, portalGroup } = address;
  if (ip === undefined || port === undefined || portalGroup > lastPortalGroup || address.lun > lastLun)
    return undefined;
  return isIscsiName(targetName) ? { ...address, ip, port } : undefined;
}

/** Throws InvalidArgument. */
export function formatIscsiAddress(address: IscsiAddress): string {
  const text = `${portalText(address)},${address.portalGroup} ${address.targetName} ${address.lun}`;
  if (tryParseIscsiAddress(text)) return text;
  throw errors.invalidArgument('iSCSI address', text, 'of the form <ip>:<port>,<portal group> <target name> <LUN>');
}

/** Returns `<ip>:<port>`, with an IPv6 address in brackets. */
export function portalText({ ip, port }: Portal): string {
  return `${isIPv6(ip) ? `[${ip}]` : ip}:${port}`;
}

/** Returns undefined for any text that is not the form of portalText(). */
export function tryParsePortal(text: string): Portal | undefined {
  const [, six, four, digits] = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([1-9]\d{0,4})$/.exec(text) ?? [];
  const ip = six ?? four ?? '';
  const port = Number(digits);
  return isIP(ip) === (six === undefined ? 4 : 6) && port <= 65_535 ? { ip, port } : undefined;
}

/** Of a target with one portal. */
export const portalGroup = 1;
/** LUN of a volume's data in its target. LUN 0 is tgtd's own, and a volume has one address with every target. */
export const volumeUnit = 1;

/** The address of a volume in a target of its own. */
export function volumeAddress(portal: Portal, prefix: string, id: string): string {
  return formatIscsiAddress({ ...portal, portalGroup, targetName: targetNameOf(prefix, id), lun: volumeUnit });
}

/** The name of the target that exports a volume. */
export function targetNameOf(prefix: string, id: string): string {
  return `${prefix}${volumeName}${id}`;
}

/** Returns the volume of a target that has the form of targetNameOf(), whatever its prefix; undefined for any other target. */
export function volumeOfTargetName(targetName: string): string | undefined {
  return /volume-([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(targetName)?.[1];
}

/** Whether a text is the canonical name of an initiator or a target: iqn., eui. or naa., in lower case; with _, which some hosts have. */
export function isIscsiName(text: string): boolean {
  if (text.length > maxNameLength) return false;
  return (
    /^iqn\.\d{4}-(0[1-9]|1[0-2])\.[a-z0-9][a-z0-9.-]*(:[a-z0-9_.:-]+)?$/.test(text) ||
    /^eui\.[0-9a-f]{16}$/.test(text) ||
    /^naa\.([0-9a-f]{16}|[0-9a-f]{32})$/.test(text)
  );
}

/** Returns initiator names in canonical form, sorted, without duplicates: lists that admit the same hosts are equal. Throws InvalidArgument. */
export function initiatorNames(texts: readonly string[]): string[] {
  return [...new Set(texts.map(parseInitiatorName))].toSorted();
}

/** Throws InvalidArgument. */
function parseInitiatorName(text: string): string {
  const name = text.trim().toLowerCase();
  if (isIscsiName(name)) return name;
  throw errors.invalidArgument(
    'initiator name',
    text,
    `an iqn., eui. or naa. name of at most ${maxNameLength} characters, as /etc/iscsi/initiatorname.iscsi has it`,
  );
}

/** Whether the storage of a target gives its devices serial numbers of its own: there the name of the target says which volume it is. */
export function hasOwnSerials(targetName: string): boolean {
  return targetName.startsWith('iqn.2003-10.com.lefthandnetworks:');
}

/** What the SCSI device of a volume shows of itself. Derived from the volume's id alone: no two volumes have one of them in common. */
export interface ScsiIdentity {
  /** Unit serial number: the id, of 36 characters. */
  serial: string;
  /** Device identifier: 32 hexadecimal digits, which are also the WWN (NAA 6). */
  wwn: string;
  /** A number from 1 to 2^31-1. */
  number: number;
}

export function scsiIdentityOf(id: string): ScsiIdentity {
  const digest = createHash('sha256').update(id).digest();
  return {
    serial: id,
    wwn: `6${digest.toString('hex').slice(0, 31)}`,
    number: Math.max(1, digest.readUInt32BE(16) & 0x7f_ff_ff_ff),
  };
}
