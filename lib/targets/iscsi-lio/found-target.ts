import { volumeUnit } from '../../iscsi/address.ts';
import type { Chap } from '../target.ts';
import type { Configfs } from '../configfs.ts';
import { fabric, groupName, groupOf, targetOf, unitName } from './layout.ts';

/** A target as configfs shows it: its only or first portal group. */
export interface FoundTarget {
  name: string;
  /** Names of its portal groups. */
  groups: readonly string[];
  isEnabled: boolean;
  portals: readonly string[];
  units: readonly FoundUnit[];
  acls: readonly FoundAcl[];
  /** Whether every initiator is admitted, one without an ACL by rights and secret of the group. */
  isOpen: boolean;
  /** Of initiators without an ACL. */
  isReadOnly: boolean;
  /** Whether units that are given to an initiator are read-only from the beginning. */
  givesReadOnly: boolean;
  /** Whether a login needs a secret. */
  asksSecret: boolean;
  /** Whether the target is listed to those who are not admitted. */
  isListed: boolean;
  chap: Chap;
}

interface FoundUnit {
  number: number;
  /** Path of the backstore. */
  backstore: string;
}

/** An initiator that is admitted. */
export interface FoundAcl {
  initiator: string;
  chap: Chap;
  /** Whether it has the volume, and nothing else. */
  hasVolume: boolean;
  isReadOnly: boolean;
}

export async function targetNames(configfs: Configfs): Promise<string[]> {
  return (await configfs.directories(fabric)).filter((name) => name !== 'discovery_auth');
}

export async function groupNames(configfs: Configfs, targetName: string): Promise<string[]> {
  return (await configfs.directories(targetOf(targetName))).filter((name) => /^tpgt_\d+$/.test(name));
}

export async function unitNames(configfs: Configfs, parent: string): Promise<string[]> {
  return (await configfs.directories(parent)).filter((name) => /^lun_\d+$/.test(name));
}

export async function readTarget(configfs: Configfs, name: string): Promise<FoundTarget> {
  const groups = await groupNames(configfs, name);
  const group = groups.length === 0 || groups.includes(groupName) ? groupOf(name) : `${targetOf(name)}/${groups[0]}`;
  const flag = async (path: string) => (await configfs.read(`${group}/${path}`)) === '1';
  const [isEnabled, isOpen, isReadOnly, givesReadOnly, asksSecret, isListed] = await Promise.all([
    flag('enable'),
    flag('attrib/generate_node_acls'),
    flag('attrib/demo_mode_write_protect'),
    flag('attrib/prod_mode_write_protect'),
    flag('attrib/authentication'),
    flag('attrib/demo_mode_discovery'),
  ]);
  const [portals, units, initiators, chap] = await Promise.all([
    configfs.directories(`${group}/np`),
    readUnits(configfs, group),
    configfs.directories(`${group}/acls`),
    readChap(configfs, group),
  ]);
  const acls = await Promise.all(initiators.toSorted().map((initiator) => readAcl(configfs, group, initiator)));
  const rights = { isOpen, isReadOnly, givesReadOnly, asksSecret, isListed, chap };
  return { name, groups, isEnabled, portals, units, acls, ...rights };
}

async function readUnits(configfs: Configfs, group: string): Promise<FoundUnit[]> {
  const names = await unitNames(configfs, `${group}/lun`);
  return Promise.all(
    names.map(async (name) => {
      const [link = ''] = await configfs.links(`${group}/lun/${name}`);
      const backstore = link === '' ? undefined : await configfs.follow(`${group}/lun/${name}/${link}`);
      return { number: Number(name.slice('lun_'.length)), backstore: backstore ?? '' };
    }),
  );
}

async function readAcl(configfs: Configfs, group: string, initiator: string): Promise<FoundAcl> {
  const path = `${group}/acls/${initiator}`;
  const [chap, units, links, isReadOnly] = await Promise.all([
    readChap(configfs, path),
    unitNames(configfs, path),
    configfs.links(`${path}/${unitName}`),
    configfs.read(`${path}/${unitName}/write_protect`),
  ]);
  const hasVolume = units.length === 1 && links.length === 1;
  return { initiator, chap, hasVolume, isReadOnly: isReadOnly === '1' };
}

async function readChap(configfs: Configfs, path: string): Promise<Chap> {
  const [user, secret] = await Promise.all([
    configfs.read(`${path}/auth/userid`),
    configfs.read(`${path}/auth/password`),
  ]);
  return { user: user ?? '', secret: secret ?? '' };
}

/** Path of the backstore that the volume's unit shows; '' without one. */
export function backstoreIn({ units }: FoundTarget): string {
  return units.find(({ number }) => number === volumeUnit)?.backstore ?? '';
}

/** Whether hosts can use it: one that is half made serves nobody. */
export function isServing(target: FoundTarget): boolean {
  const { isEnabled, portals, acls, isOpen } = target;
  return isEnabled && portals.length > 0 && backstoreIn(target) !== '' && (isOpen || acls.length > 0);
}
