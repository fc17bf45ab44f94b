import type { KnownToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';

/** `self`: the user in the path, and administrators. */
type Access = 'anyone' | 'signed-in' | 'self' | 'admin';

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
  'credential:create': 'self',
  'credential:delete': 'self',
} as const satisfies Record<string, Access>;

const accessTexts: Readonly<Record<Access, string>> = {
  anyone: 'everybody',
  'signed-in': 'signed in',
  self: 'the user in the path, and role admin',
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

/** `user`: the one in the path, '' = none. Throws NotAuthenticated, NotPermitted. */
export function checkIdentityPolicy(name: IdentityCallName, caller: KnownToken | undefined, user: string): void {
  const access = identityPolicy[name];
  if (access === 'anyone') return;
  if (!caller) throw errors.notAuthenticated('the token is not valid, or not any more');
  if (access === 'signed-in' || isAdmin(caller)) return;
  if (access === 'self' && user === caller.user.id) return;
  throw errors.notPermitted(name, ['admin']);
}
