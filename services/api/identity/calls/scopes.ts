import { z } from 'zod';
import { assignmentsOf } from '../../../../lib/models/assignment.ts';
import { type ProjectState, projectsOf } from '../../../../lib/models/project.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { noBody, noQuery } from '../../call.ts';
import { catalogFor } from '../catalog.ts';
import { callerOf, identityCall } from '../call.ts';
import { listDocument, namedListQuery } from '../listing.ts';
import { projectView } from '../views.ts';

const common = { name: 'scope:list', method: 'GET', body: noBody, status: 200 } as const;
/** Projects of one user that are shown at most. */
const maxShown = 1000;

/** What a caller can get tokens for, and what is served. */
export const scopeCalls = [
  identityCall({
    ...common,
    path: '/auth/projects',
    query: z.object(namedListQuery),
    async handle(request) {
      const { user } = callerOf(request);
      const projects = (await projectsOfUser(request.store, user.id)).filter(({ isEnabled }) => isEnabled);
      return listDocument(request, 'projects', {
        items: projects.map((project) => projectView(project, `${request.origin}/identity/v3`)),
      });
    },
  }),
  identityCall({
    ...common,
    name: 'user:projects',
    path: '/users/:user_id/projects',
    query: z.object(namedListQuery),
    async handle(request) {
      const projects = await projectsOfUser(request.store, request.param('user_id'));
      return listDocument(request, 'projects', {
        items: projects.map((project) => projectView(project, `${request.origin}/identity/v3`)),
      });
    },
  }),
  identityCall({
    ...common,
    path: '/auth/catalog',
    query: noQuery,
    async handle(request) {
      const { project } = callerOf(request);
      const items = project ? catalogFor(project.id, request.origin, request.flags) : [];
      return listDocument(request, 'catalog', { items });
    },
  }),
  identityCall({
    ...common,
    path: '/auth/domains',
    query: noQuery,
    handle: async (request) => listDocument(request, 'domains', { items: [] }),
  }),
  identityCall({
    ...common,
    path: '/auth/system',
    query: noQuery,
    handle: async () => ({ system: [] }),
  }),
];

async function projectsOfUser(store: Store, user: string): Promise<ProjectState[]> {
  const page = await assignmentsOf(store).page(store.keys.userAssignments(user), { limit: maxShown });
  return (await projectsOf(store).readAll(page.states.map(({ project }) => project))).states;
}
