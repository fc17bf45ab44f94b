import type { RecordKind } from './kinds.ts';

/** The records of users, of their projects, and of what proves who they are. */
export const identityKinds = {
  user: { key: 'user:{id}', indexes: [{ key: 'users', score: { field: 'createTime' } }, { key: 'user-name:{name}' }] },
  /** What volumes belong to, where the API asks who sends a request. */
  project: {
    key: 'project:{id}',
    indexes: [{ key: 'projects', score: { field: 'createTime' } }, { key: 'project-name:{name}' }],
  },
  /** The roles of a user in a project; its id is that of the user and that of the project. */
  assignment: {
    key: 'assignment:{id}',
    indexes: [
      { key: 'assignments', score: { field: 'createTime' } },
      { key: 'user:{user}:assignments', score: { field: 'createTime' } },
      { key: 'project:{project}:assignments', score: { field: 'createTime' } },
    ],
  },
  /** What a program signs in with in place of a password. */
  'application-credential': {
    key: 'application-credential:{id}',
    indexes: [
      { key: 'application-credentials', score: { field: 'createTime' } },
      { key: 'application-credential-name:{user}:{name}' },
      { key: 'user:{user}:application-credentials', score: { field: 'createTime' } },
      { key: 'project:{project}:application-credentials', score: { field: 'createTime' } },
    ],
  },
  /** Its id is the hash of its text. */
  token: {
    key: 'token:{id}',
    indexes: [
      { key: 'tokens', score: { field: 'expires' } },
      { key: 'user:{user}:tokens', score: { field: 'expires' } },
    ],
  },
  /** Of one user name, or one address. */
  'sign-in-failures': {
    key: 'sign-in-failures:{id}',
    indexes: [{ key: 'sign-in-failures', score: { field: 'expires' } }],
  },
} as const satisfies Record<string, RecordKind>;
