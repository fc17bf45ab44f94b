import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isHexId } from './hex-id.ts';
import { type RecordReader, Records } from './records.ts';
import { type Role, rolesIn } from './role.ts';

/** The roles of a user in a project. */
export interface AssignmentState {
  id: string;
  user: string;
  project: string;
  roles: readonly Role[];
  /** Milliseconds since the epoch. */
  createTime: number;
}

export function assignmentId(user: string, project: string): string {
  return user + project;
}

/** Throws UnreadableError for a record that this version cannot read. */
export function parseAssignment(id: string, hash: Hash): AssignmentState {
  const { user = '', project = '', roles = '', createTime = '' } = hash;
  if (!isHexId(user) || !isHexId(project) || id !== assignmentId(user, project)) {
    throw new UnreadableError('has an id that is not that of its user and its project');
  }
  if (!/^\d{1,16}$/.test(createTime)) throw new UnreadableError('lacks its creation time');
  return { id, user, project, roles: rolesIn(roles), createTime: Number(createTime) };
}

const reader: RecordReader<AssignmentState> = {
  recordKey: (store, id) => store.keys.assignment(id),
  parse: parseAssignment,
  notFound: (id) => errors.roleNotGranted('', id.slice(0, 32), id.slice(32)),
  unreadable: (id, reason) => errors.recordUnreadable(`assignment ${id}`, reason),
};

export function assignmentsOf(store: Store): Records<AssignmentState> {
  return new Records(store, reader);
}
