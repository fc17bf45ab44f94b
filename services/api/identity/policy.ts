import type { KnownToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';

/** `self`: the user in the path, and administrators; `alone`: not even these. */
type Access = 'anyone' | 'signed-in' | 'self' | 'alone' | 'admin';

/** Who may do what with users and projects. */
export const identityPolicy = {
  'version:show': 'anyone',
  'token:create': 'anyone',
  'token:show': 'signed-in',
  'token:revoke': 'signed-in',
  'scope:list': 'signed-in',
  'user:list': 'admin',
  'user:show': 'self',
  'user:change': 'admin',
  'user:password': 'self',
  'user:projects': 'self',
  'project:list': 'admin',
  'project:show': 'signed-in',
  'project:change': 'admin',
  'domain:list': 'signed-in',
  'role:list': 'signed-in',
  'assignment:list': 'signed-in',
  'assignment:change': 'admin',
  'credential:list': 'self',
  'credential:create': 'alone',
  'credential:delete': 'self',
} as const satisfies Record<string, Access>;

const accessTexts: Readonly<Record<Access, string>> = {
  anyone: 'everybody',
  'signed-in': 'signed in',
  self: 'the user in the path, and role admin',
  alone: 'the user in the path alone',
  admin: 'role admin',
};

export type IdentityCallName = keyof typeof identityPolicy;

export function isAdmin({ roles }: Pick<KnownToken, 'roles'>): boolean {
  return roles.includes('admin');
}

/** Returns who may send a call, in words. */
export function accessOf(name: IdentityCallName): string {
  return accessTexts[identityPolicy[name]];
}

/** Whether nobody needs a token for it. */
export function isOpen(name: IdentityCallName): boolean {
  return identityPolicy[name] === 'anyone';
}

/** `user`: the one in the path, '' = none. Throws NotAuthenticated, NotPermitted, CredentialOfOther. */
export function checkIdentityPolicy(name: IdentityCallName, caller: KnownToken | undefined, user: string): void {
  const access = identityPolicy[name];
  if (access === 'anyone') return;
  if (!caller) throw errors.notAuthenticated('the token is not valid, or not any more');
  if (access === 'signed-in') return;
  if ((access === 'self' || access === 'alone') && user === caller.user.id) return;
  // Of others an administrator would get a secret that signs in as them.
  if (access === 'alone') throw errors.credentialOfOther(user.slice(0, 100));
  if (isAdmin(caller)) return;
  throw errors.notPermitted(name, ['admin']);
}
