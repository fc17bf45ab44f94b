import { errors } from '../../errors.ts';
import { hashPassword } from '../../identity/password.ts';
import { type CredentialState, credentialsOf } from '../../models/application-credential.ts';
import { assignmentId, assignmentsOf } from '../../models/assignment.ts';
import { newHexId } from '../../models/hex-id.ts';
import { type Role, rolesText } from '../../models/role.ts';
import { commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { checkIdentityName, textFields } from './fields.ts';

const maxOfUser = 100;

export interface NewCredential {
  id?: string;
  name: string;
  description?: string;
  user: string;
  project: string;
  /** Default: all that the user has in the project. */
  roles?: readonly Role[] | undefined;
  isUnrestricted?: boolean;
  secret: string;
  /** Milliseconds since the epoch; 0 = never. */
  expires?: number;
}

/**
 * A repeated request with the same id has one effect: its secret takes the place of the first one. Throws InvalidArgument, WeakPassword,
 * RoleNotGranted, CredentialExists, TooManyCredentials.
 */
export async function createCredential(
  store: Store,
  { id = newHexId(), name: given, description, user, project, secret, expires = 0, ...rest }: NewCredential,
): Promise<CredentialState> {
  const name = checkIdentityName(given);
  const held = (await assignmentsOf(store).find(assignmentId(user, project)))?.roles ?? [];
  const { roles = held, isUnrestricted = false } = rest;
  const lacking = roles.find((role) => !held.includes(role));
  if (lacking !== undefined || roles.length === 0) throw errors.roleNotGranted(lacking ?? '', user, project);
  const count = await store.read((redis) => redis.zcard(store.keys.userCredentials(user)));
  if (count >= maxOfUser) throw errors.tooManyCredentials(user, maxOfUser);
  const set = {
    name,
    user,
    project,
    roles: rolesText(roles),
    secret: await hashPassword(secret),
    ...textFields({ description }).set,
    ...(isUnrestricted ? { unrestricted: 'true' } : {}),
    expires: String(expires),
  };
  const outcome = await commit(store, {
    conditions: [{ is: 'empty', key: `application-credential-name:${user}:${name}` }],
    edits: [
      { kind: 'application-credential', id, insert: true, set, stamp: ['createTime'] },
      { kind: 'user', id: user },
      { kind: 'assignment', id: assignmentId(user, project) },
    ],
    event: 'application-credential.create',
  });
  if (outcome.word === 'absent') throw errors.roleNotGranted('', user, project);
  if (outcome.word === 'ok') return credentialsOf(store).lookup(id);
  const found = await credentialsOf(store).find(id);
  if (found?.name !== name || found.user !== user || found.project !== project) throw errors.credentialExists(name);
  const expect = { name, user, project };
  const edit = { kind: 'application-credential', id, expect, set: { secret: set.secret } } as const;
  const { word } = await commit(store, { edits: [edit], event: 'application-credential.update' });
  if (word !== 'ok') throw errors.credentialNotFound(id);
  return found;
}

/** Its tokens end with it. Throws CredentialNotFound. */
export async function deleteCredential(store: Store, id: string): Promise<void> {
  const outcome = await commit(store, {
    edits: [{ kind: 'application-credential', id, remove: true }],
    event: 'application-credential.delete',
  });
  if (outcome.word === 'absent') throw errors.credentialNotFound(id);
}
