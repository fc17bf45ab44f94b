import { z } from 'zod';
import { findToken, issueToken, revokeToken, type KnownToken } from '../../../../lib/client/identity/tokens.ts';
import { errors } from '../../../../lib/errors.ts';
import type { Role } from '../../../../lib/models/role.ts';
import { noAnswer, noBody } from '../../call.ts';
import { type IdentityContext, callerOf, identityCall } from '../call.ts';
import { tokenDocument } from '../documents.ts';
import { type IdentityCallName, isAdmin } from '../policy.ts';
import { proven, signInBody } from '../sign-in.ts';
import { tokenView } from '../views.ts';
import { scopeOf } from '../scope.ts';

const path = '/auth/tokens';
/** Of `openstack token issue`, and of services that ask without the catalog. */
const query = z.object({ nocatalog: z.string().optional(), allow_expired: z.string().optional() });
const oneToken = z.strictObject({ token: tokenDocument });
const subject = { request: ['subjectToken'], answer: ['subjectToken'] } as const;

export const tokenCalls = [
  identityCall({
    name: 'token:create',
    method: 'POST',
    path,
    query,
    body: signInBody,
    status: 201,
    summary: 'Issues a token',
    answer: oneToken,
    headers: { answer: ['subjectToken'] },
    async handle(request) {
      const { store, flags, body, query: asked } = request;
      const proof = await proven(request, body.auth.identity);
      const project = await scopeOf(store, proof, body.auth.scope);
      const text = await issueToken(store, {
        user: proof.user,
        project,
        methods: proof.methods,
        lifetimeMs: flags.token_lifetime * 1000,
        notAfter: proof.notAfter,
        ...(proof.credential ? { credential: proof.credential.id } : {}),
      });
      const known = await findToken(store, text);
      if (!known) throw errors.signInRefused();
      request.answerHeader('x-subject-token', text);
      return documentOf(request, known, asked);
    },
  }),
  identityCall({
    name: 'token:show',
    method: 'GET',
    path,
    query,
    body: noBody,
    status: 200,
    summary: 'Shows what a token means: an own one, or any to roles service and admin',
    answer: oneToken,
    headers: subject,
    async handle(request) {
      const known = await subjectOf(request, 'token:show', ['service']);
      request.answerHeader('x-subject-token', request.subjectToken);
      return documentOf(request, known, request.query);
    },
  }),
  identityCall({
    name: 'token:show',
    method: 'HEAD',
    path,
    query,
    body: noBody,
    status: 200,
    summary: 'Says whether a token is valid: an own one, or any to roles service and admin',
    answer: noAnswer,
    headers: subject,
    async handle(request) {
      await subjectOf(request, 'token:show', ['service']);
      request.answerHeader('x-subject-token', request.subjectToken);
    },
  }),
  identityCall({
    name: 'token:revoke',
    method: 'DELETE',
    path,
    query: z.strictObject({}),
    body: noBody,
    status: 204,
    summary: 'Revokes a token: an own one, or any by role admin',
    answer: noAnswer,
    headers: { request: ['subjectToken'] },
    async handle(request) {
      await subjectOf(request, 'token:revoke', []);
      await revokeToken(request.store, request.subjectToken);
    },
  }),
];

/**
 * Returns what the token in question means: an own one, or any for administrators and those with the other roles. Throws TokenNotFound,
 * NotPermitted.
 */
async function subjectOf(
  request: IdentityContext,
  name: IdentityCallName,
  others: readonly Role[],
): Promise<KnownToken> {
  const caller = callerOf(request);
  const known = await findToken(request.store, request.subjectToken);
  if (!known) throw errors.tokenNotFound();
  const mayKnow =
    known.user.id === caller.user.id || isAdmin(caller) || others.some((role) => caller.roles.includes(role));
  if (!mayKnow) throw errors.notPermitted(name, [...others, 'admin']);
  return known;
}

function documentOf(
  { origin, flags }: IdentityContext,
  known: KnownToken,
  { nocatalog }: { nocatalog?: string | undefined },
) {
  return { token: tokenView(known, { origin, flags, hasCatalog: nocatalog === undefined }) };
}
