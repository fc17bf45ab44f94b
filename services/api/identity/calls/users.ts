import { z } from 'zod';
import { signIn } from '../../../../lib/client/identity/sign-in.ts';
import { createUser, deleteUser, updateUser } from '../../../../lib/client/identity/users.ts';
import { findNamed } from '../../../../lib/models/find-named.ts';
import { isHexId } from '../../../../lib/models/hex-id.ts';
import { type UserState, usersOf } from '../../../../lib/models/user.ts';
import { errors } from '../../../../lib/errors.ts';
import { noAnswer, noBody, noQuery } from '../../call.ts';
import { type IdentityContext, identityCall } from '../call.ts';
import { userDocument } from '../documents.ts';
import { listAnswer, listDocument, listed, namedListQuery } from '../listing.ts';
import { idOfNewRecord } from '../new-id.ts';
import { checkDomain, given, id, name, options, text } from '../schemas.ts';
import { userView } from '../views.ts';

const one = { path: '/users/:user_id', query: noQuery, status: 200 } as const;
const oneUser = z.strictObject({ user: userDocument });
const secret = z.string().max(4096);
const fields = {
  description: text,
  email: text,
  enabled: z.boolean().optional(),
  default_project_id: text,
  domain_id: id.nullish(),
  options,
};

export const userCalls = [
  identityCall({
    name: 'user:list',
    method: 'GET',
    path: '/users',
    query: z.object(namedListQuery),
    body: noBody,
    status: 200,
    summary: 'Lists users',
    answer: listAnswer('users', userDocument),
    async handle(request) {
      const { store, query } = request;
      const records = usersOf(store);
      const matches = ({ isEnabled }: UserState) => query.enabled === undefined || query.enabled === isEnabled;
      if (query.name !== undefined) {
        const found = await findNamed(store, { records, named: store.keys.userNamed }, query.name);
        const items = found && found.name === query.name.normalize('NFC') && matches(found) ? [found] : [];
        return listDocument(request, 'users', { items: items.map((user) => userView(user, baseOf(request))) });
      }
      const { states, hasMore } = await listed(request, { records, index: store.keys.users(), query, matches });
      const items = states.map((user) => userView(user, baseOf(request)));
      return listDocument(request, 'users', { items, hasMore, last: states.at(-1)?.id ?? '' });
    },
  }),
  identityCall({
    ...one,
    name: 'user:show',
    method: 'GET',
    body: noBody,
    summary: 'Shows a user',
    answer: oneUser,
    handle: async (request) => ({
      user: userView(await lookup(request, request.param('user_id')), baseOf(request)),
    }),
  }),
  identityCall({
    name: 'user:change',
    method: 'POST',
    path: '/users',
    query: noQuery,
    body: z.object({ user: z.object({ ...fields, name, password: secret.nullish() }) }),
    status: 201,
    summary: 'Makes a user',
    answer: oneUser,
    headers: { request: ['idempotencyKey'] },
    async handle(request) {
      const { password, ...asked } = request.body.user;
      const user = await createUser(request.store, {
        id: idOfNewRecord(request, 'user:create'),
        name: asked.name,
        ...changesIn(asked),
        ...(password === null || password === undefined ? {} : { password }),
      });
      return { user: userView(user, baseOf(request)) };
    },
  }),
  identityCall({
    ...one,
    name: 'user:change',
    method: 'PATCH',
    body: z.object({ user: z.object({ ...fields, name: name.optional(), password: secret.nullish() }) }),
    summary: 'Changes a user; tokens end with a new password, or when the user is disabled',
    answer: oneUser,
    async handle(request) {
      const { password, ...asked } = request.body.user;
      const { id: user } = await lookup(request, request.param('user_id'));
      const changed = await updateUser(request.store, user, {
        ...changesIn(asked),
        ...given({ name: asked.name, password: password ?? undefined }),
      });
      return { user: userView(changed, baseOf(request)) };
    },
  }),
  identityCall({
    ...one,
    name: 'user:change',
    method: 'DELETE',
    body: noBody,
    status: 204,
    summary: 'Deletes a user with its roles, tokens and application credentials',
    answer: noAnswer,
    async handle(request) {
      await deleteUser(request.store, (await lookup(request, request.param('user_id'))).id);
    },
  }),
  identityCall({
    name: 'user:password',
    method: 'POST',
    path: '/users/:user_id/password',
    query: noQuery,
    body: z.object({ user: z.object({ original_password: secret, password: secret }) }),
    status: 204,
    summary: 'Changes a password; the tokens of the user end',
    answer: noAnswer,
    async handle(request) {
      const { store, address } = request;
      const { original_password: original, password } = request.body.user;
      const user = await lookup(request, request.param('user_id'));
      const { password: knew } = await signIn(store, { user: user.id, address }, original);
      await updateUser(store, user.id, { password }, { knew });
    },
  }),
];

function changesIn(asked: {
  description?: string | undefined;
  email?: string | undefined;
  enabled?: boolean | undefined;
  default_project_id?: string | undefined;
  domain_id?: string | null | undefined;
}) {
  checkDomain(asked.domain_id);
  const { description, email, enabled: isEnabled, default_project_id: defaultProject } = asked;
  return given({ description, email, isEnabled, defaultProject });
}

/** By its id alone: clients try names as ids first. Throws UserNotFound. */
async function lookup({ store }: IdentityContext, user: string): Promise<UserState> {
  const found = isHexId(user) ? await usersOf(store).find(user) : undefined;
  if (!found) throw errors.userNotFound(user.slice(0, 100));
  return found;
}

function baseOf({ origin }: IdentityContext): string {
  return `${origin}/identity/v3`;
}
