import { z } from 'zod';
import { createProject, deleteProject, updateProject } from '../../../../lib/client/identity/projects.ts';
import { hasRoles } from '../../../../lib/client/identity/sign-in.ts';
import { errors } from '../../../../lib/errors.ts';
import { findNamed } from '../../../../lib/models/find-named.ts';
import { isHexId } from '../../../../lib/models/hex-id.ts';
import { type ProjectState, projectsOf } from '../../../../lib/models/project.ts';
import { noAnswer, noBody, noQuery } from '../../call.ts';
import { type IdentityContext, callerOf, identityCall } from '../call.ts';
import { projectDocument } from '../documents.ts';
import { listAnswer, listDocument, listed, namedListQuery } from '../listing.ts';
import { idOfNewRecord } from '../new-id.ts';
import { isAdmin } from '../policy.ts';
import { checkDomain, given, id, name, options, text } from '../schemas.ts';
import { projectView } from '../views.ts';

const one = { path: '/projects/:project_id', query: noQuery, status: 200 } as const;
const oneProject = z.strictObject({ project: projectDocument });
const fields = {
  description: text,
  enabled: z.boolean().optional(),
  domain_id: id.nullish(),
  parent_id: id.nullish(),
  is_domain: z.literal(false).nullish(),
  tags: z.array(z.string()).max(0, 'there are none').optional(),
  options,
};

export const projectCalls = [
  identityCall({
    name: 'project:list',
    method: 'GET',
    path: '/projects',
    query: z.object({ ...namedListQuery, parent_id: id.optional(), is_domain: z.string().optional() }),
    body: noBody,
    status: 200,
    summary: 'Lists projects',
    answer: listAnswer('projects', projectDocument),
    async handle(request) {
      const { store, query } = request;
      const records = projectsOf(store);
      const matches = ({ isEnabled }: ProjectState) => query.enabled === undefined || query.enabled === isEnabled;
      if (query.name !== undefined) {
        const found = await findNamed(store, { records, named: store.keys.projectNamed }, query.name);
        const items = found && found.name === query.name.normalize('NFC') && matches(found) ? [found] : [];
        return listDocument(request, 'projects', { items: items.map((project) => view(request, project)) });
      }
      const { states, hasMore } = await listed(request, { records, index: store.keys.projects(), query, matches });
      const items = states.map((project) => view(request, project));
      return listDocument(request, 'projects', { items, hasMore, last: states.at(-1)?.id ?? '' });
    },
  }),
  identityCall({
    ...one,
    name: 'project:show',
    method: 'GET',
    body: noBody,
    summary: 'Shows a project, to those who have roles in it and to administrators',
    answer: oneProject,
    async handle(request) {
      const caller = callerOf(request);
      const project = request.param('project_id');
      const mayKnow = isAdmin(caller) || (isHexId(project) && (await hasRoles(request.store, caller.user.id, project)));
      if (!mayKnow) throw errors.notPermitted('project:show', ['admin']);
      return { project: view(request, await lookup(request, project)) };
    },
  }),
  identityCall({
    name: 'project:change',
    method: 'POST',
    path: '/projects',
    query: noQuery,
    body: z.object({ project: z.object({ ...fields, name }) }),
    status: 201,
    summary: 'Makes a project',
    answer: oneProject,
    headers: { request: ['idempotencyKey'] },
    async handle(request) {
      const { project: asked } = request.body;
      const project = await createProject(request.store, {
        id: idOfNewRecord(request, 'project:create'),
        ...changesIn(asked),
        name: asked.name,
      });
      return { project: view(request, project) };
    },
  }),
  identityCall({
    ...one,
    name: 'project:change',
    method: 'PATCH',
    body: z.object({ project: z.object({ ...fields, name: name.optional() }) }),
    summary: 'Changes a project; its tokens end when it is disabled',
    answer: oneProject,
    async handle(request) {
      const { project: asked } = request.body;
      const { id: project } = await lookup(request, request.param('project_id'));
      const changes = { ...changesIn(asked), ...given({ name: asked.name }) };
      return { project: view(request, await updateProject(request.store, project, changes)) };
    },
  }),
  identityCall({
    ...one,
    name: 'project:change',
    method: 'DELETE',
    body: noBody,
    status: 204,
    summary: 'Deletes a project that has no volumes',
    answer: noAnswer,
    async handle(request) {
      await deleteProject(request.store, (await lookup(request, request.param('project_id'))).id);
    },
  }),
];

function changesIn(asked: {
  description?: string | undefined;
  enabled?: boolean | undefined;
  domain_id?: string | null | undefined;
  parent_id?: string | null | undefined;
}) {
  checkDomain(asked.domain_id);
  checkDomain(asked.parent_id);
  return given({ description: asked.description, isEnabled: asked.enabled });
}

/** By its id alone: clients try names as ids first. Throws ProjectNotFound. */
async function lookup({ store }: IdentityContext, project: string): Promise<ProjectState> {
  const found = isHexId(project) ? await projectsOf(store).find(project) : undefined;
  if (!found) throw errors.projectNotFound(project.slice(0, 100));
  return found;
}

function view({ origin }: IdentityContext, project: ProjectState) {
  return projectView(project, `${origin}/identity/v3`);
}
