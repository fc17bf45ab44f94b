import { assignmentsOf } from '../../lib/models/assignment.ts';
import type { ProjectState } from '../../lib/models/project.ts';
import { usersOf } from '../../lib/models/user.ts';
import type { Store } from '../../lib/redis/store.ts';
import { isoTime, timeAgo } from '../format.ts';
import type { Column } from '../table.ts';

/** Users that are shown of a project at most. */
const maxShown = 1000;

/** Returns a project in the form of --json. */
export function projectJson({ id, name, description, isEnabled, createTime }: ProjectState) {
  return { id, name, description: description || null, enabled: isEnabled, createTime: isoTime(createTime) };
}

export const projectColumns: readonly Column<ProjectState>[] = [
  { title: 'ID', text: ({ id }) => id },
  { title: 'NAME', text: ({ name }) => name, maxWidth: 32 },
  { title: 'ENABLED', text: ({ isEnabled }) => (isEnabled ? 'yes' : 'no') },
  { title: 'DESCRIPTION', text: ({ description }) => description, maxWidth: 40 },
];

/** What belongs to a project. */
export interface Belongings {
  users: { user: string; name: string; roles: readonly string[] }[];
  volumes: number;
  snapshots: number;
}

export async function belongingsOf(store: Store, project: string): Promise<Belongings> {
  const { keys } = store;
  const [{ states }, volumes, snapshots] = await Promise.all([
    assignmentsOf(store).page(keys.projectAssignments(project), { limit: maxShown }),
    store.read((redis) => redis.zcard(keys.projectVolumes(project))),
    store.read((redis) => redis.zcard(keys.projectSnapshots(project))),
  ]);
  const users = await usersOf(store).readAll(states.map(({ user }) => user));
  const names = new Map(users.states.map(({ id, name }) => [id, name]));
  return {
    users: states.map(({ user, roles }) => ({ user, name: names.get(user) ?? '', roles })),
    volumes,
    snapshots,
  };
}

export function projectFacts(project: ProjectState, { users, volumes, snapshots }: Belongings): [string, string][] {
  return [
    ['id', project.id],
    ['name', project.name],
    ['description', project.description],
    ['enabled', project.isEnabled ? 'yes' : 'no'],
    ['volumes', String(volumes)],
    ['snapshots', String(snapshots)],
    ...users.map(({ user, name, roles }): [string, string] => [`user ${name || user}`, roles.join(', ')]),
    ['created', timeAgo(project.createTime)],
  ];
}
