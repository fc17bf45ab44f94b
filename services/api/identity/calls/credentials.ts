import { z } from 'zod';
import { createCredential, deleteCredential } from '../../../../lib/client/identity/credentials.ts';
import { errors } from '../../../../lib/errors.ts';
import { newPassword } from '../../../../lib/identity/password.ts';
import { type CredentialState, credentialsOf } from '../../../../lib/models/application-credential.ts';
import { isHexId } from '../../../../lib/models/hex-id.ts';
import { type Role, roles } from '../../../../lib/models/role.ts';
import { redisTime } from '../../../../lib/redis/redis-time.ts';
import { noAnswer, noBody, noQuery } from '../../call.ts';
import { type IdentityContext, callerOf, identityCall } from '../call.ts';
import { credentialDocument, newCredentialDocument } from '../documents.ts';
import { listAnswer, listDocument, listed, namedListQuery } from '../listing.ts';
import { idOfNewRecord } from '../new-id.ts';
import { name, text } from '../schemas.ts';
import { credentialView } from '../views.ts';
import { roleOf } from './roles.ts';

const path = '/users/:user_id/application_credentials';
const one = { path: `${path}/:credential_id`, query: noQuery, body: noBody } as const;

export const credentialCalls = [
  identityCall({
    name: 'credential:list',
    method: 'GET',
    path,
    query: z.object(namedListQuery),
    body: noBody,
    status: 200,
    summary: 'Lists the application credentials of a user',
    answer: listAnswer('application_credentials', credentialDocument),
    async handle(request) {
      const { store, query } = request;
      const { states, hasMore } = await listed(request, {
        records: credentialsOf(store),
        index: store.keys.userCredentials(request.param('user_id')),
        query,
        matches: (credential) => query.name === undefined || credential.name === query.name,
      });
      const items = states.map((credential) => credentialView(credential, baseOf(request)));
      return listDocument(request, 'application_credentials', { items, hasMore, last: states.at(-1)?.id ?? '' });
    },
  }),
  identityCall({
    name: 'credential:create',
    method: 'POST',
    path,
    query: noQuery,
    body: z.object({
      application_credential: z.object({
        name,
        description: text,
        secret: z.string().max(4096).nullish(),
        expires_at: z.string().max(64).nullish(),
        roles: z.array(z.object({ id: z.string().optional(), name: z.string().optional() })).nullish(),
        unrestricted: z.boolean().nullish(),
        access_rules: z.array(z.unknown()).max(0, 'are not offered').nullish(),
      }),
    }),
    status: 201,
    summary: 'Makes an application credential of oneself',
    answer: z.strictObject({ application_credential: newCredentialDocument }),
    headers: { request: ['idempotencyKey'] },
    async handle(request) {
      const { store, body } = request;
      const asked = body.application_credential;
      const { user, project } = callerOf(request);
      refuseRestricted(request);
      if (!project) throw errors.invalidRequest(['the token has no project: a credential is for that of the token']);
      const secret = asked.secret ?? newPassword();
      const credential = await createCredential(store, {
        id: idOfNewRecord(request, 'credential:create'),
        name: asked.name,
        ...(asked.description === undefined ? {} : { description: asked.description }),
        user: user.id,
        project: project.id,
        secret,
        isUnrestricted: asked.unrestricted === true,
        expires: await endOf(request, asked.expires_at ?? ''),
        roles: asked.roles?.map(roleIn),
      });
      return { application_credential: { ...credentialView(credential, baseOf(request)), secret } };
    },
  }),
  identityCall({
    ...one,
    name: 'credential:list',
    method: 'GET',
    status: 200,
    summary: 'Shows an application credential',
    answer: z.strictObject({ application_credential: credentialDocument }),
    async handle(request) {
      const credential = await lookup(request, request.param('user_id'), request.param('credential_id'));
      return { application_credential: credentialView(credential, baseOf(request)) };
    },
  }),
  identityCall({
    ...one,
    name: 'credential:delete',
    method: 'DELETE',
    status: 204,
    summary: 'Deletes an application credential; its tokens end',
    answer: noAnswer,
    async handle(request) {
      const user = request.param('user_id');
      refuseRestricted(request);
      await deleteCredential(request.store, (await lookup(request, user, request.param('credential_id'))).id);
    },
  }),
];

/** An application credential makes no other one, so that its end is the end. Throws CredentialRestricted. */
function refuseRestricted(context: IdentityContext): void {
  const { credential } = callerOf(context);
  if (credential && !credential.isUnrestricted) throw errors.restrictedCredential();
}

function roleIn({ id, name: roleName }: { id?: string | undefined; name?: string | undefined }): Role {
  if (id !== undefined) return roleOf(id);
  const role = roles.find((known) => known === roleName?.toLowerCase());
  if (role === undefined) throw errors.invalidRequest([`roles: each is one of ${roles.join(', ')}`]);
  return role;
}

/** Returns milliseconds since the epoch; 0 = never. Without a zone it is UTC. Throws InvalidRequest. */
async function endOf({ store }: IdentityContext, asked: string): Promise<number> {
  if (asked === '') return 0;
  const isTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?Z?$/.test(asked);
  const end = isTime ? Date.parse(`${asked.replace('Z', '')}Z`) : Number.NaN;
  if (end > (await redisTime(store))) return end;
  throw errors.invalidRequest(['expires_at: must be a time that is to come, such as 2030-01-31T18:00:00']);
}

/** Throws CredentialNotFound. */
async function lookup({ store }: IdentityContext, user: string, id: string): Promise<CredentialState> {
  const found = isHexId(id) ? await credentialsOf(store).find(id) : undefined;
  if (found?.user !== user) throw errors.credentialNotFound(id.slice(0, 100));
  return found;
}

function baseOf({ origin }: IdentityContext): string {
  return `${origin}/identity/v3`;
}
