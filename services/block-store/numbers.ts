import { readFile, readdir } from 'node:fs/promises';
import type { Log } from '../../lib/log.ts';
import type { Node } from '../../lib/models/node.ts';
import type { Target } from '../../lib/targets/target.ts';

/** Keeps back AoE numbers that others use: seen on the wire, or held by a vblade on this node that is not ours. */
export async function observeNumbers(
  options: { node: Node; target: Target; slots: number; log: Log },
  whole: boolean,
): Promise<void> {
  const { node, target, slots, log } = options;
  if (target.name === 'none' && !whole) return;
  const own = await ownAddresses();
  const seen = new Map<string, string>();
  for (const { shelfId, bladeId, mac } of await target.discover()) {
    if (!own.has(mac)) seen.set(`${shelfId}.${bladeId}`, `wire ${mac}`);
  }
  for (const { id, shelfId, bladeId, path } of await target.listExports()) {
    if (id === undefined) seen.set(`${shelfId}.${bladeId}`, `export ${path}`);
  }
  const held = await node.observe(seen, slots, whole);
  for (const number of held)
    log.warn(`AoE number e${number} is used by others and kept back`, { by: seen.get(number) });
}

/** Ethernet addresses of this machine. */
export async function ownAddresses(): Promise<Set<string>> {
  const interfaces = await readdir('/sys/class/net');
  const addresses = await Promise.all(
    interfaces.map((name) => readFile(`/sys/class/net/${name}/address`, 'utf8').catch(() => '')),
  );
  return new Set(addresses.map((address) => address.trim().toLowerCase()));
}
