import { errors } from '../../errors.ts';
import { hashPassword } from '../../identity/password.ts';
import { newHexId } from '../../models/hex-id.ts';
import { type UserState, parseUser, usersOf } from '../../models/user.ts';
import { commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { insertNamed } from '../insert-named.ts';
import { maxChanges } from '../start-task.ts';
import { checkIdentityName, textFields } from './fields.ts';
import { newGeneration } from './generation.ts';
import { removeAll } from './remove-all.ts';

/** What a user says; what is not given stays as it is. */
export interface UserChanges {
  name?: string;
  /** '': none. */
  description?: string;
  email?: string;
  isEnabled?: boolean;
  /** The id of a project; '': none. */
  defaultProject?: string;
  password?: string;
}

/** A repeated request with the same id has one effect. Throws InvalidArgument, WeakPassword, UserExists. */
export async function createUser(
  store: Store,
  { id = newHexId(), ...changes }: UserChanges & { id?: string; name: string },
): Promise<UserState> {
  const { set } = await fieldsOf(changes);
  const name = set['name'] ?? '';
  const what = { kind: 'user', parse: parseUser, taken: errors.userExists } as const;
  const given = { generation: newGeneration(), enabled: 'true', ...set };
  return insertNamed(store, { ...what, id, name, set: given, records: usersOf(store) });
}

/**
 * Ends the tokens of the user where the password changes, or the user is disabled. `expect`: the hash of the password that the requester
 * knew. Throws UserNotFound, InvalidArgument, WeakPassword, UserExists, SignInRefused.
 */
export async function updateUser(
  store: Store,
  id: string,
  changes: UserChanges,
  { knew }: { knew?: string } = {},
): Promise<UserState> {
  const { set, unset } = await fieldsOf(changes);
  for (let change = 0; change < maxChanges; change += 1) {
    const { name, password } = await usersOf(store).lookup(id);
    if (knew !== undefined && knew !== password) throw errors.signInRefused();
    const renamed = set['name'] === undefined || set['name'] === name ? [] : [set['name']];
    const outcome = await commit(store, {
      conditions: renamed.map((text) => ({ is: 'empty', key: `user-name:${text}` }) as const),
      edits: [{ kind: 'user', id, expect: { name, password }, set, unset }],
      event: 'user.update',
    });
    if (outcome.word === 'condition') throw errors.userExists(set['name'] ?? '');
    if (outcome.word === 'ok') return usersOf(store).lookup(id);
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Its tokens end at once; then its roles and application credentials are removed, in steps. Throws UserNotFound. */
export async function deleteUser(store: Store, id: string): Promise<void> {
  await usersOf(store).lookup(id);
  await commit(store, {
    edits: [{ kind: 'user', id, set: { enabled: 'false', generation: newGeneration() }, optional: true }],
  });
  for (let change = 0; change < maxChanges; change += 1) {
    await removeAll(store, 'application-credential', store.keys.userCredentials(id));
    await removeAll(store, 'assignment', store.keys.userAssignments(id));
    const outcome = await commit(store, {
      conditions: [
        { is: 'empty', key: `user:${id}:application-credentials` },
        { is: 'empty', key: `user:${id}:assignments` },
      ],
      edits: [{ kind: 'user', id, remove: true, optional: true }],
      event: 'user.delete',
    });
    if (outcome.word === 'ok') return;
  }
  throw errors.wrongStatus(id, 'being changed', 'no other request at the same time');
}

/** Every token of the user ends. Throws UserNotFound. */
export async function revokeTokensOf(store: Store, id: string): Promise<void> {
  const outcome = await commit(store, {
    edits: [{ kind: 'user', id, set: { generation: newGeneration() } }],
    event: 'user.revoke-tokens',
  });
  if (outcome.word === 'absent') throw errors.userNotFound(id);
}

async function fieldsOf(changes: UserChanges) {
  const { name, description, email, isEnabled, defaultProject, password } = changes;
  const texts = textFields({ description, email, defaultProject });
  const ends = password !== undefined || isEnabled === false;
  return {
    set: {
      ...(name === undefined ? {} : { name: checkIdentityName(name) }),
      ...texts.set,
      ...(password === undefined ? {} : { password: await hashPassword(password) }),
      ...(isEnabled === undefined ? {} : { enabled: String(isEnabled) }),
      ...(ends ? { generation: newGeneration() } : {}),
    },
    unset: texts.unset,
  };
}
