import { errors } from '../../errors.ts';
import { withPasswordCheck } from '../../identity/password.ts';
import { type CredentialState, credentialsOf } from '../../models/application-credential.ts';
import { assignmentId, assignmentsOf } from '../../models/assignment.ts';
import { findNamed } from '../../models/find-named.ts';
import { isHexId } from '../../models/hex-id.ts';
import { type UserState, usersOf } from '../../models/user.ts';
import { redisTime } from '../../redis/redis-time.ts';
import type { Store } from '../../redis/store.ts';
import { type Suspect, countFailure, forgetFailures, lockedFor } from './failures.ts';

/** Who signs in: an id or a name; `address`: where from. */
export interface Attempt {
  user: string;
  address: string;
}

/** Returns the user with that password. Throws SignInRefused for every other one alike, SignInLocked, SignInBusy. */
export async function signIn(
  store: Store,
  { user: reference, address }: Attempt,
  password: string,
): Promise<UserState> {
  const user = await userMeant(store, reference);
  const isRight = await attempt(store, { name: user?.name ?? reference, address }, password, user?.password ?? '');
  if (!isRight || !user?.isEnabled) throw errors.signInRefused();
  return user;
}

/** Returns an application credential and its user. Throws SignInRefused, SignInLocked, SignInBusy. */
export async function signInByCredential(
  store: Store,
  { id, address }: { id: string; address: string },
  secret: string,
): Promise<{ user: UserState; credential: CredentialState }> {
  const credential = isHexId(id) ? await credentialsOf(store).find(id) : undefined;
  const isRight = await attempt(
    store,
    { name: `application credential ${id}`, address },
    secret,
    credential?.secret ?? '',
  );
  const user = credential && (await usersOf(store).find(credential.user));
  const hasEnded = credential && credential.expires > 0 && credential.expires <= (await redisTime(store));
  if (!isRight || !credential || hasEnded || !user?.isEnabled) throw errors.signInRefused();
  return { user, credential };
}

/** Returns the id of an application credential by its name, '' where there is none. */
export async function credentialNamed(store: Store, user: string, name: string): Promise<string> {
  const owner = await userMeant(store, user);
  if (!owner) return '';
  const index = `${store.keys.prefix}application-credential-name:${owner.id}:${name.normalize('NFC')}`;
  return (await store.read((redis) => redis.zrange(index, '0', '0')))[0] ?? '';
}

/** Whether the user may have a token for the project. */
export async function hasRoles(store: Store, user: string, project: string): Promise<boolean> {
  const found = await assignmentsOf(store).find(assignmentId(user, project));
  return found !== undefined && found.roles.length > 0;
}

/**
 * Failures are counted, and waits checked, in the turn of the password: so many guesses at once as turns are all that a node checks
 * before it knows of the first. Throws SignInLocked, SignInBusy.
 */
async function attempt(
  store: Store,
  { name, address }: { name: string; address: string },
  given: string,
  stored: string,
): Promise<boolean> {
  const suspects: readonly Suspect[] = [{ name }, { address }];
  const refuseLocked = async () => {
    const waitMs = await lockedFor(store, suspects);
    if (waitMs > 0) throw errors.signInLocked(Math.ceil(waitMs / 1000));
  };
  await refuseLocked();
  return withPasswordCheck(async (isPassword) => {
    await refuseLocked();
    const isRight = await isPassword(given, stored);
    if (isRight) await forgetFailures(store, { name });
    else for (const suspect of suspects) await countFailure(store, suspect);
    return isRight;
  });
}

function userMeant(store: Store, reference: string): Promise<UserState | undefined> {
  return findNamed(store, { records: usersOf(store), named: store.keys.userNamed }, reference);
}
