import { assignmentsOf } from '../../lib/models/assignment.ts';
import { credentialsOf } from '../../lib/models/application-credential.ts';
import { projectsOf } from '../../lib/models/project.ts';
import { type UserState, usersOf } from '../../lib/models/user.ts';
import type { Store } from '../../lib/redis/store.ts';
import { isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Projects and application credentials that are shown of a user at most. */
const maxShown = 1000;

/** A user with what belongs to it. */
export interface WholeUser {
  user: UserState;
  roles: { project: string; name: string; roles: readonly string[] }[];
  credentials: { id: string; name: string; project: string; roles: readonly string[]; expires: number }[];
}

/** Throws UserNotFound. */
export async function readUser(store: Store, id: string): Promise<WholeUser> {
  const { keys } = store;
  const [user, assignments, credentials] = await Promise.all([
    usersOf(store).lookup(id),
    assignmentsOf(store).page(keys.userAssignments(id), { limit: maxShown }),
    credentialsOf(store).page(keys.userCredentials(id), { limit: maxShown }),
  ]);
  const projects = await projectsOf(store).readAll(assignments.states.map(({ project }) => project));
  const names = new Map(projects.states.map((project) => [project.id, project.name]));
  return {
    user,
    roles: assignments.states.map(({ project, roles }) => ({ project, name: names.get(project) ?? '', roles })),
    credentials: credentials.states.map((one) => ({
      id: one.id,
      name: one.name,
      project: one.project,
      roles: one.roles,
      expires: one.expires,
    })),
  };
}

/** Returns a user in the form of --json. No secret. */
export function userJson({ user, roles, credentials }: WholeUser): object {
  return {
    ...rowJson(user),
    roles,
    applicationCredentials: credentials.map(({ expires, ...rest }) => ({
      ...rest,
      expires: expires === 0 ? null : isoTime(expires),
    })),
  };
}

export function rowJson({ id, name, description, email, isEnabled, defaultProject, password, createTime }: UserState) {
  return {
    id,
    name,
    description: description || null,
    email: email || null,
    enabled: isEnabled,
    hasPassword: password !== '',
    defaultProject: defaultProject || null,
    createTime: isoTime(createTime),
  };
}

export const userColumns: readonly Column<UserState>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'NAME', text: ({ name }) => name, maxWidth: 32 },
  { title: 'ENABLED', text: ({ isEnabled }) => (isEnabled ? 'yes' : 'no') },
  { title: 'DESCRIPTION', text: ({ description }) => description, maxWidth: 40 },
];

export function userFacts({ user, roles, credentials }: WholeUser): [string, string][] {
  return [
    ['id', user.id],
    ['name', user.name],
    ['description', user.description],
    ['email', user.email],
    ['enabled', user.isEnabled ? 'yes' : 'no'],
    ['password', user.password === '' ? 'none' : 'set'],
    ...roles.map(({ project, name, roles: held }): [string, string] => [`project ${name || project}`, held.join(', ')]),
    ...credentials.map(({ id, name, expires }): [string, string] => [
      `credential ${name}`,
      `${id}${expires === 0 ? '' : `, until ${isoTime(expires)}`}`,
    ]),
    ['created', timeAgo(user.createTime)],
  ];
}
