import { z } from 'zod';
import { admitProject, excludeProject } from '../../../lib/client/type-access.ts';
import { errors } from '../../../lib/errors.ts';
import { call, noAnswer, noBody, noQuery } from '../call.ts';
import { ownType } from '../own-type.ts';

const projectBody = z.strictObject({ project: z.string().min(1).max(255) });
const common = { method: 'POST', path: '/types/:id/action', query: noQuery, status: 202, answer: noAnswer } as const;

export const typeAccessCalls = [
  call({
    name: 'type:access:list',
    summary: 'Lists the projects that can use a private volume type',
    method: 'GET',
    path: '/types/:id/os-volume-type-access',
    query: noQuery,
    body: noBody,
    status: 200,
    answer: z.object({
      volume_type_access: z.array(z.object({ volume_type_id: z.string(), project_id: z.string() })),
    }),
    async handle(request) {
      const { id, isPublic, projects } = await ownType(request, request.param('id'));
      if (isPublic) throw errors.noAccessList(id);
      return { volume_type_access: projects.map((project) => ({ volume_type_id: id, project_id: project })) };
    },
  }),
  call({
    ...common,
    name: 'type:access:change',
    summary: 'Lets a project use a private volume type',
    action: 'addProjectAccess',
    body: projectBody,
    async handle(request) {
      const { id } = await ownType(request, request.param('id'));
      await admitProject(request.cluster.store, id, request.body.project);
    },
  }),
  call({
    ...common,
    name: 'type:access:change',
    summary: 'Excludes a project from a private volume type; its volumes keep the type',
    action: 'removeProjectAccess',
    body: projectBody,
    async handle(request) {
      const { id } = await ownType(request, request.param('id'));
      await excludeProject(request.cluster.store, id, request.body.project);
    },
  }),
];
