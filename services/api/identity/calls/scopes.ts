import { z } from 'zod';
import { assignmentsOf } from '../../../../lib/models/assignment.ts';
import { type ProjectState, projectsOf } from '../../../../lib/models/project.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { noBody, noQuery } from '../../call.ts';
import { catalogFor } from '../catalog.ts';
import { callerOf, identityCall } from '../call.ts';
import { projectDocument, serviceDocument } from '../documents.ts';
import { listAnswer, listDocument, namedListQuery } from '../listing.ts';
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
    summary: 'Lists the projects that the caller can get tokens for',
    answer: listAnswer('projects', projectDocument),
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
    summary: 'Lists the projects that a user has roles in',
    answer: listAnswer('projects', projectDocument),
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
    summary: 'Shows the catalog of the project of the token',
    answer: listAnswer('catalog', serviceDocument),
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
    summary: 'Lists the domains that the caller can get tokens for: none',
    answer: listAnswer('domains', z.never()),
    handle: async (request) => listDocument(request, 'domains', { items: [] }),
  }),
  identityCall({
    ...common,
    path: '/auth/system',
    query: noQuery,
    summary: 'Says whether the caller can get tokens for the system: it cannot',
    answer: z.strictObject({ system: z.array(z.never()) }),
    handle: async () => ({ system: [] }),
  }),
];

async function projectsOfUser(store: Store, user: string): Promise<ProjectState[]> {
  const page = await assignmentsOf(store).page(store.keys.userAssignments(user), { limit: maxShown });
  return (await projectsOf(store).readAll(page.states.map(({ project }) => project))).states;
}
