import { type Portal, portalText, tryParsePortal } from '../../iscsi/address.ts';
import { listenerOn } from '../../iscsi/listeners.ts';
import type { Configfs } from '../configfs.ts';
import { groupNames, targetNames } from './found-target.ts';
import { targetOf } from './layout.ts';

/**
 * Returns a description of what listens where the portal would; undefined where nothing does, or a target of the kernel on just that
 * address: the kernel lets targets share a portal. The kernel's own listeners belong to no process.
 */
export async function portalHolder(configfs: Configfs, portal: Portal): Promise<string | undefined> {
  for (const name of await targetNames(configfs)) {
    for (const group of await groupNames(configfs, name)) {
      const texts = await configfs.directories(`${targetOf(name)}/${group}/np`);
      if (texts.includes(portalText(portal))) return undefined;
      const wildcard = texts.find((text) => isWildcard(text, portal.port));
      if (wildcard !== undefined) return `the kernel's iSCSI target ${name}, at ${wildcard},`;
    }
  }
  return listenerOn(portal);
}

function isWildcard(text: string, port: number): boolean {
  const found = tryParsePortal(text);
  return found?.port === port && /^(0\.0\.0\.0|[0:]+)$/.test(found.ip);
}
