import { z } from 'zod';
import { errors } from '../../../../lib/errors.ts';
import { type AssignmentState, assignmentsOf } from '../../../../lib/models/assignment.ts';
import { projectsOf } from '../../../../lib/models/project.ts';
import { usersOf } from '../../../../lib/models/user.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { noBody } from '../../call.ts';
import { callerOf, identityCall } from '../call.ts';
import { domain, roleId } from '../domain.ts';
import { assignmentDocument } from '../documents.ts';
import { listAnswer, listDocument, listQuery, listed } from '../listing.ts';
import { isAdmin } from '../policy.ts';

const reference = z.string().max(64).optional();

export const roleAssignmentCalls = [
  identityCall({
    name: 'assignment:list',
    method: 'GET',
    path: '/role_assignments',
    query: z.looseObject({
      limit: listQuery.limit,
      marker: listQuery.marker,
      'user.id': reference,
      'scope.project.id': reference,
      'role.id': reference,
      // What there is none of.
      'group.id': reference,
      'scope.domain.id': reference,
      'scope.system': reference,
      include_names: reference,
    }),
    body: noBody,
    status: 200,
    summary: 'Lists the roles of users in projects: own ones, or all to role admin',
    answer: listAnswer('role_assignments', assignmentDocument),
    async handle(request) {
      const { store, query, origin } = request;
      const { 'user.id': user, 'scope.project.id': project, 'role.id': role, include_names: names } = query;
      const caller = callerOf(request);
      if (!isAdmin(caller) && user !== caller.user.id) throw errors.notPermitted('assignment:list', ['admin']);
      const none = [query['group.id'], query['scope.domain.id'], query['scope.system']].some(
        (one) => one !== undefined,
      );
      if (none) return listDocument(request, 'role_assignments', { items: [] });
      const { keys } = store;
      const index =
        user === undefined
          ? project === undefined
            ? keys.assignments()
            : keys.projectAssignments(project)
          : keys.userAssignments(user);
      const { states, hasMore } = await listed(request, {
        records: assignmentsOf(store),
        index,
        query,
        matches: (one) => project === undefined || one.project === project,
      });
      const named = names === undefined || /^(0|false)$/i.test(names) ? undefined : await namesOf(store, states);
      const items = states.flatMap((one) =>
        one.roles
          .filter((held) => role === undefined || roleId(held) === role)
          .map((held) => ({
            role: { id: roleId(held), ...(named ? { name: held, domain: null } : {}) },
            user: { id: one.user, ...(named ? { name: named.users.get(one.user) ?? '', domain } : {}) },
            scope: {
              project: { id: one.project, ...(named ? { name: named.projects.get(one.project) ?? '', domain } : {}) },
            },
            links: {
              assignment: `${origin}/identity/v3/projects/${one.project}/users/${one.user}/roles/${roleId(held)}`,
            },
          })),
      );
      return listDocument(request, 'role_assignments', { items, hasMore, last: states.at(-1)?.id ?? '' });
    },
  }),
];

async function namesOf(store: Store, states: readonly AssignmentState[]) {
  const [users, projects] = await Promise.all([
    usersOf(store).readAll([...new Set(states.map(({ user }) => user))]),
    projectsOf(store).readAll([...new Set(states.map(({ project }) => project))]),
  ]);
  return {
    users: new Map(users.states.map(({ id, name }) => [id, name])),
    projects: new Map(projects.states.map(({ id, name }) => [id, name])),
  };
}
