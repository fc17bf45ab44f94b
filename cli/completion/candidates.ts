import { everyNode } from '../../lib/models/node.ts';
import { volumeStatuses } from '../../lib/models/volume-state.ts';
import { groupsOf } from '../../lib/models/group.ts';
import { projectsOf } from '../../lib/models/project.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import { typesOf } from '../../lib/models/type.ts';
import { transfersOf } from '../../lib/models/transfer.ts';
import { usersOf } from '../../lib/models/user.ts';
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
export function volumeCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { keys } = store;
  return namedCandidates(store, { names: keys.volumeNames(), ids: keys.volumeIds(), candidate }, prefix);
}

/** The same of snapshots. */
export function snapshotCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { keys } = store;
  const indexes = { names: keys.snapshotNames(), ids: keys.snapshotIds(), candidate: snapshotCandidate };
  return namedCandidates(store, indexes, prefix);
}

/** The same of transfers. */
export function transferCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { keys } = store;
  const indexes = { names: keys.transferNames(), ids: keys.transferIds(), candidate: transferCandidate };
  return namedCandidates(store, indexes, prefix);
}

/** The same of volume types. */
export function typeCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { keys } = store;
  const indexes = { names: keys.typeNames(), ids: keys.typeIds(), candidate: typeCandidate };
  return namedCandidates(store, indexes, prefix);
}

/** The same of groups. */
export function groupCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { keys } = store;
  return namedCandidates(store, { names: keys.groupNames(), ids: keys.groupIds(), candidate: groupCandidate }, prefix);
}

/** Users and projects that are looked at, the newest. */
const maxExamined = 500;

/** Returns the names of users that begin with `prefix`. */
export async function userCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { states } = await usersOf(store).readAll(await newest(store, store.keys.users()));
  return states.flatMap(({ name, email }) => named(name, email, prefix));
}

/** The same of projects. */
export async function projectCandidates(store: Store, prefix: string): Promise<Candidate[]> {
  const { states } = await projectsOf(store).readAll(await newest(store, store.keys.projects()));
  return states.flatMap(({ name, description }) => named(name, description, prefix));
}

function newest(store: Store, index: string): Promise<string[]> {
  return store.read((redis) => redis.zrange(index, '0', String(maxExamined - 1), 'REV'));
}

function named(text: string, about: string, prefix: string): Candidate[] {
  return text.startsWith(prefix) ? [{ text, about: printable(about) }] : [];
}

interface Named {
  /** Keys of the indexes. */
  names: string;
  ids: string;
  candidate: (store: Store, id: string, name?: string) => Promise<Candidate[]>;
}

async function namedCandidates(store: Store, { names, ids, candidate: of }: Named, prefix: string) {
  const [withName, withId] = await Promise.all([startingWith(store, names, prefix), startingWith(store, ids, prefix)]);
  const byName = new Map(
    withName.map((member) => [member.slice(member.indexOf('\0') + 1), member.slice(0, member.indexOf('\0'))]),
  );
  const found = await Promise.all([...byName.keys(), ...withId].map((id) => of(store, id, byName.get(id))));
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

async function snapshotCandidate(store: Store, id: string, name?: string): Promise<Candidate[]> {
  const [state] = (await snapshotsOf(store).readAll([id])).states;
  return state ? [{ text: name ?? id, about: printable(`of volume ${state.volume}, ${state.status}`) }] : [];
}

async function transferCandidate(store: Store, id: string, name?: string): Promise<Candidate[]> {
  const [state] = (await transfersOf(store).readAll([id])).states;
  return state ? [{ text: name ?? id, about: printable(`of volume ${state.volume}`) }] : [];
}

async function typeCandidate(store: Store, id: string, name?: string): Promise<Candidate[]> {
  const [state] = (await typesOf(store).readAll([id])).states;
  return state ? [{ text: name ?? id, about: printable(state.description) }] : [];
}

async function groupCandidate(store: Store, id: string, name?: string): Promise<Candidate[]> {
  const [state] = (await groupsOf(store).readAll([id])).states;
  return state ? [{ text: name ?? id, about: printable(state.description) }] : [];
}

function startingWith(store: Store, index: string, prefix: string): Promise<string[]> {
  return store.read((redis) =>
    redis.zrange(index, `[${prefix}`, `[${prefix}\u{10FFFF}`, 'BYLEX', 'LIMIT', 0, maxCandidates),
  );
}
