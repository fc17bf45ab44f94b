import { everyNode } from '../../lib/models/node.ts';
import { volumeStatuses } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';
import { printable } from '../../lib/printable.ts';
import { plural, volumeSize } from '../format.ts';

/** A completion with a short description. */
export interface Candidate {
  text: string;
  about: string;
}

const maxCandidates = 50;

export const statusCandidates: readonly Candidate[] = volumeStatuses.map((text) => ({ text, about: '' }));

/** Returns the first names and ids that begin with `prefix`, at most 50 of each. */
export async function volumeCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const [names, ids] = await Promise.all([
    startingWith(store, store.keys.volumeNames(), prefix),
    startingWith(store, store.keys.volumeIds(), prefix),
  ]);
  const byName = new Map(
    names.map((member) => [member.slice(member.indexOf('\0') + 1), member.slice(0, member.indexOf('\0'))]),
  );
  const found = await Promise.all([...byName.keys(), ...ids].map((id) => candidate(store, id, byName.get(id))));
  return found.flat();
}

export async function nodeCandidates(store: Store): Promise<Candidate[]> {
  const { nodes } = await everyNode(store);
  return nodes.map(({ id, state, volumes }) => ({ text: id, about: `${state}, ${plural(volumes, 'volume')}` }));
}

/** Returns nothing for a volume that is deleted meanwhile. */
async function candidate(store: Store, id: string, name?: string): Promise<Candidate[]> {
  const [state] = (await volumesOf(store).readAll([id])).states;
  if (!state) return [];
  const about = `${volumeSize(state.size)}, ${state.status}${name === undefined && state.name !== '' ? `, ${state.name}` : ''}`;
  return [{ text: name ?? id, about: printable(about) }];
}

function startingWith(store: Store, index: string, prefix: string): Promise<string[]> {
  return store.read((redis) =>
    redis.zrange(index, `[${prefix}`, `[${prefix}\u{10FFFF}`, 'BYLEX', 'LIMIT', 0, maxCandidates),
  );
}
