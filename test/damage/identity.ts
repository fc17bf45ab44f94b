import { grantRole } from '../../lib/client/identity/assignments.ts';
import { createCredential } from '../../lib/client/identity/credentials.ts';
import { countFailure, lockedFor } from '../../lib/client/identity/failures.ts';
import { createProject } from '../../lib/client/identity/projects.ts';
import { removeExpired } from '../../lib/client/identity/remove-expired.ts';
import { credentialNamed } from '../../lib/client/identity/sign-in.ts';
import { findToken, issueToken } from '../../lib/client/identity/tokens.ts';
import { createUser } from '../../lib/client/identity/users.ts';
import { credentialsOf } from '../../lib/models/application-credential.ts';
import { assignmentsOf } from '../../lib/models/assignment.ts';
import { findProject, projectsOf } from '../../lib/models/project.ts';
import { findUser, usersOf } from '../../lib/models/user.ts';
import type { Store } from '../../lib/redis/store.ts';

const [user, project, credential] = ['a'.repeat(32), 'b'.repeat(32), 'c'.repeat(32)];
const guesser = { name: 'guesser' };
const lifetimeMs = 3_600_000;

/** Makes a record of each kind of the identity service, with ids that are the same in every cluster. Returns a token. */
export async function makeIdentity(store: Store): Promise<string> {
  await createProject(store, { id: project, name: 'web', description: 'pages' });
  const made = await createUser(store, {
    id: user,
    name: 'ann',
    description: 'somebody',
    email: 'ann@blockstore.test',
    defaultProject: project,
    password: 'password of ann',
  });
  await grantRole(store, user, project, 'member');
  const own = { user, project, secret: 'secret of a program', expires: Date.now() + lifetimeMs };
  await createCredential(store, { ...own, id: credential, name: 'program', description: 'a program' });
  await countFailure(store, guesser);
  return issueToken(store, { user: made, project, credential, methods: ['application_credential'], lifetimeMs });
}

/** What the identity service reads. */
export function identityReads(store: Store, token: string): (() => Promise<unknown>)[] {
  const { keys } = store;
  const page = { limit: 10 };
  return [
    async () => {
      const known = await findToken(store, token);
      const isSame =
        known?.user.id === user && known.project?.id === project && known.roles.every((role) => role === 'member');
      if (known && !isSame) throw new Error(`a token means ${JSON.stringify(known)}`);
    },
    () => findUser(store, 'ann'),
    () => findUser(store, user),
    () => findProject(store, 'web'),
    () => credentialNamed(store, 'ann', 'program'),
    () => usersOf(store).page(keys.users(), page),
    () => projectsOf(store).page(keys.projects(), page),
    () => assignmentsOf(store).page(keys.assignments(), page),
    () => assignmentsOf(store).page(keys.userAssignments(user), page),
    () => assignmentsOf(store).page(keys.projectAssignments(project), page),
    () => credentialsOf(store).page(keys.userCredentials(user), page),
    () => lockedFor(store, [guesser]),
    () => removeExpired(store),
  ];
}
