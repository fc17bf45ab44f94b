import { errors } from '../errors.ts';
import { findNamed } from './find-named.ts';
import { type Hash, UnreadableError, isEnabledIn } from './hash.ts';
import { isHexId } from './hex-id.ts';
import { type RecordReader, Records } from './records.ts';
import type { Store } from '../redis/store.ts';

/** What volumes belong to. */
export interface ProjectState {
  id: string;
  name: string;
  description: string;
  /** Nobody gets a token for one that is not. */
  isEnabled: boolean;
  /** Milliseconds since the epoch. */
  createTime: number;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseProject(id: string, hash: Hash): ProjectState {
  const { name = '', createTime = '' } = hash;
  if (!isHexId(id)) throw new UnreadableError('has an id that is not 32 hexadecimal digits');
  if (name === '' || !/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its name or creation time');
  return {
    id,
    name,
    description: hash['description'] ?? '',
    isEnabled: isEnabledIn(hash),
    createTime: Number(createTime),
  };
}

const reader: RecordReader<ProjectState> = {
  recordKey: (store, id) => store.keys.project(id),
  parse: parseProject,
  notFound: errors.projectNotFound,
  unreadable: (id, reason) => errors.recordUnreadable(`project ${id}`, reason),
};

export function projectsOf(store: Store): Records<ProjectState> {
  return new Records(store, reader);
}

/** Returns the project of an id or a name. Throws ProjectNotFound. */
export async function findProject(store: Store, reference: string): Promise<ProjectState> {
  const project = await findNamed(store, { records: projectsOf(store), named: store.keys.projectNamed }, reference);
  if (!project) throw errors.projectNotFound(reference.slice(0, 100));
  return project;
}
