import { z } from 'zod';
import { grantRole, revokeRole } from '../../../../lib/client/identity/assignments.ts';
import { errors } from '../../../../lib/errors.ts';
import { assignmentId, assignmentsOf } from '../../../../lib/models/assignment.ts';
import { isHexId } from '../../../../lib/models/hex-id.ts';
import { type Role, roles } from '../../../../lib/models/role.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { noAnswer, noBody, noQuery } from '../../call.ts';
import { identityCall } from '../call.ts';
import { domain, roleWithId } from '../domain.ts';
import { domainDocument, roleDocument } from '../documents.ts';
import { listAnswer, listDocument } from '../listing.ts';
import { domainView, roleView } from '../views.ts';

const get = { method: 'GET', body: noBody, status: 200 } as const;
const ofUser = '/projects/:project_id/users/:user_id/roles';
const oneOfUser = {
  name: 'assignment:change',
  path: `${ofUser}/:role_id`,
  query: noQuery,
  body: noBody,
  status: 204,
} as const;
/** Neither domains nor roles can be made: every filter is met or not. */
const listQuery = z.looseObject({
  name: z.string().max(255).optional(),
  domain_id: z.string().max(255).optional(),
  enabled: z.string().optional(),
});

export const roleCalls = [
  identityCall({
    ...get,
    name: 'domain:list',
    path: '/domains',
    query: listQuery,
    summary: 'Lists the only domain',
    answer: listAnswer('domains', domainDocument),
    async handle(request) {
      const { name } = request.query;
      const isMeant = name === undefined || name.toLowerCase() === domain.id;
      return listDocument(request, 'domains', { items: isMeant ? [domainView(baseOf(request))] : [] });
    },
  }),
  identityCall({
    ...get,
    name: 'domain:list',
    path: '/domains/:domain_id',
    query: noQuery,
    summary: 'Shows the only domain',
    answer: z.strictObject({ domain: domainDocument }),
    async handle(request) {
      const asked = request.param('domain_id');
      if (asked !== domain.id) throw errors.notFoundHere('domain', asked.slice(0, 100), 'the only domain is default');
      return { domain: domainView(baseOf(request)) };
    },
  }),
  identityCall({
    ...get,
    name: 'role:list',
    path: '/roles',
    query: listQuery,
    summary: 'Lists the roles',
    answer: listAnswer('roles', roleDocument),
    async handle(request) {
      const { name, domain_id: of } = request.query;
      const meant = roles.filter((role) => (name === undefined || role === name.toLowerCase()) && of === undefined);
      return listDocument(request, 'roles', { items: meant.map((role) => roleView(role, baseOf(request))) });
    },
  }),
  identityCall({
    ...get,
    name: 'role:list',
    path: '/roles/:role_id',
    query: noQuery,
    summary: 'Shows a role',
    answer: z.strictObject({ role: roleDocument }),
    handle: async (request) => ({ role: roleView(roleOf(request.param('role_id')), baseOf(request)) }),
  }),
  identityCall({
    ...get,
    name: 'assignment:change',
    path: ofUser,
    query: noQuery,
    summary: 'Lists the roles of a user in a project',
    answer: listAnswer('roles', roleDocument),
    async handle(request) {
      const held = await heldBy(request.store, request.param('user_id'), request.param('project_id'));
      return listDocument(request, 'roles', { items: held.map((role) => roleView(role, baseOf(request))) });
    },
  }),
  identityCall({
    ...oneOfUser,
    method: 'PUT',
    summary: 'Grants a role to a user in a project',
    answer: noAnswer,
    async handle(request) {
      const [user, project] = [request.param('user_id'), request.param('project_id')];
      if (!isHexId(user)) throw errors.userNotFound(user.slice(0, 100));
      if (!isHexId(project)) throw errors.projectNotFound(project.slice(0, 100));
      await grantRole(request.store, user, project, roleOf(request.param('role_id')));
    },
  }),
  ...(['GET', 'HEAD'] as const).map((method) =>
    identityCall({
      ...oneOfUser,
      method,
      summary: 'Says whether a user has a role in a project',
      answer: noAnswer,
      async handle(request) {
        const [user, project] = [request.param('user_id'), request.param('project_id')];
        const role = roleOf(request.param('role_id'));
        const held = await heldBy(request.store, user, project);
        if (!held.includes(role)) throw errors.roleNotGranted(role, user.slice(0, 100), project.slice(0, 100));
      },
    }),
  ),
  identityCall({
    ...oneOfUser,
    method: 'DELETE',
    summary: 'Takes a role of a user in a project; the tokens of the user end',
    answer: noAnswer,
    async handle(request) {
      const [user, project] = [request.param('user_id'), request.param('project_id')];
      const role = roleOf(request.param('role_id'));
      if (!isHexId(user) || !isHexId(project))
        throw errors.roleNotGranted(role, user.slice(0, 100), project.slice(0, 100));
      await revokeRole(request.store, user, project, role);
    },
  }),
];

/** Throws NotFound. */
export function roleOf(id: string): Role {
  const role = roleWithId(id);
  if (role === undefined) throw errors.notFoundHere('role', id.slice(0, 100), `the roles are ${roles.join(', ')}`);
  return role;
}

async function heldBy(store: Store, user: string, project: string): Promise<readonly Role[]> {
  if (!isHexId(user) || !isHexId(project)) return [];
  return (await assignmentsOf(store).find(assignmentId(user, project)))?.roles ?? [];
}

function baseOf({ origin }: { origin: string }): string {
  return `${origin}/identity/v3`;
}
