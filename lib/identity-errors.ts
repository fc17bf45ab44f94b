import { BlockstoreError } from './blockstore-error.ts';

const seeUsers = 'list the users: blockstore user list';
const seeProjects = 'list the projects: blockstore project list';

/** Errors of users, projects, roles, tokens and application credentials. No message has a secret. */
export const identityErrors = {
  userNotFound: (user: string) =>
    new BlockstoreError('UserNotFound', 'notFound', `user ${user} does not exist`, seeUsers),
  userExists: (name: string) =>
    new BlockstoreError('UserExists', 'conflict', `there is a user ${name} already`, seeUsers),
  projectNotFound: (project: string) =>
    new BlockstoreError('ProjectNotFound', 'notFound', `project ${project} does not exist`, seeProjects),
  projectExists: (name: string) =>
    new BlockstoreError('ProjectExists', 'conflict', `there is a project ${name} already`, seeProjects),
  /** `what`: such as "volume 3f…, snapshot 8a…". */
  projectInUse: (project: string, id: string, what: string) =>
    new BlockstoreError(
      'ProjectInUse',
      'conflict',
      `project ${project} still has ${what}`,
      `delete them first: blockstore volume list --project ${id}`,
    ),
  /** `role`: '' for any. */
  roleNotGranted: (role: string, user: string, project: string) =>
    new BlockstoreError(
      'RoleNotGranted',
      'notFound',
      role === ''
        ? `user ${user} has no role in project ${project}`
        : `user ${user} does not have the role ${role} in project ${project}`,
      'see the roles of the user: blockstore user show',
    ),
  credentialNotFound: (credential: string) =>
    new BlockstoreError(
      'CredentialNotFound',
      'notFound',
      `application credential ${credential} does not exist`,
      'see those of the user: blockstore user show',
    ),
  credentialExists: (name: string) =>
    new BlockstoreError(
      'CredentialExists',
      'conflict',
      `the user has an application credential ${name} already`,
      'choose another name, or delete that one first: blockstore user delete-credential',
    ),
  credentialOfOther: (user: string) =>
    new BlockstoreError(
      'CredentialOfOther',
      'denied',
      `only user ${user} itself can make an application credential of that user`,
      'sign in as the user; on a node with Redis: blockstore user clouds-yaml',
    ),
  restrictedCredential: () =>
    new BlockstoreError(
      'CredentialRestricted',
      'denied',
      'a restricted application credential manages no application credentials',
      'sign in with the password, or with a credential that is unrestricted',
    ),
  tooManyCredentials: (user: string, most: number) =>
    new BlockstoreError(
      'TooManyCredentials',
      'exhausted',
      `user ${user} has ${most} application credentials, the most that one can have`,
      'delete those that are not needed any more: blockstore user delete-credential',
    ),
  tokenNotFound: () =>
    new BlockstoreError('TokenNotFound', 'notFound', 'the token in X-Subject-Token is not valid', 'get a new token'),
  /** One message for an unknown name, a wrong password, and a user or a project that is disabled. */
  signInRefused: () =>
    new BlockstoreError(
      'SignInRefused',
      'denied',
      'these credentials do not permit to sign in',
      'check the name, the password or the secret, and the project; an administrator can give a new password',
    ),
  signInLocked: (seconds: number) =>
    new BlockstoreError(
      'SignInLocked',
      'unavailable',
      `too many failures to sign in; the next attempt is possible in ${seconds} s`,
      'wait for that time, then check the name and the password',
      { retryAfter: seconds },
    ),
  signInBusy: () =>
    new BlockstoreError(
      'SignInBusy',
      'unavailable',
      'the node checks too many passwords already',
      'try again; programs that sign in often use one token for many requests',
    ),
  weakPassword: (least: number, most: number) =>
    new BlockstoreError(
      'WeakPassword',
      'invalid',
      `a password must have ${least} to ${most} bytes`,
      'choose another one, or let the program choose: --generate',
    ),
};
