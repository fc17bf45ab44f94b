import { volumeUnit } from '../../iscsi/address.ts';
import { isId } from '../../models/id.ts';

/** Where the objects of an export are in configfs, relative to the kernel's target. */

export type Plugin = 'iblock' | 'fileio';

/**
 * Number of the adapters ("HBA") that have this product's backstores. targetcli counts from 0: what it restores of its saved configuration
 * gets another one.
 */
const adapterNumber = 2010;
const prefix = 'volume-';

export const backstores = 'core';
export const fabric = 'iscsi';
/** Of the one portal group of a target; its number is the tag. */
export const groupName = 'tpgt_1';
export const unitName = `lun_${volumeUnit}`;
/** Name of the links that this product makes. */
export const linkName = 'volume';

export function adapterOf(plugin: Plugin): string {
  return `${backstores}/${plugin}_${adapterNumber}`;
}

export function backstoreOf(plugin: Plugin, id: string): string {
  return `${adapterOf(plugin)}/${prefix}${id}`;
}

/** Whether a backstore was made by this product, and not restored by another program. */
export function isOwnBackstore(path: string): boolean {
  return new RegExp(`^${backstores}/(iblock|fileio)_${adapterNumber}/${prefix}`).test(path);
}

export function volumeOfBackstore(path: string): string | undefined {
  const name = path.split('/').at(-1) ?? '';
  const id = name.startsWith(prefix) ? name.slice(prefix.length) : '';
  return isId(id) ? id : undefined;
}

export function pluginOf(path: string): Plugin | undefined {
  const [, plugin] = /^core\/(iblock|fileio)_\d+\//.exec(path) ?? [];
  return plugin === 'iblock' || plugin === 'fileio' ? plugin : undefined;
}

export function targetOf(targetName: string): string {
  return `${fabric}/${targetName}`;
}

export function groupOf(targetName: string): string {
  return `${targetOf(targetName)}/${groupName}`;
}
