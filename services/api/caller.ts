import type { Role } from '../../lib/models/role.ts';

export { type Role, roles } from '../../lib/models/role.ts';

/** Who sends a request, and for which project. */
export interface Caller {
  userId: string;
  projectId: string;
  roles: readonly Role[];
}

/** A role includes those below it. */
export function hasRole(caller: Caller, required: Role): boolean {
  if (caller.roles.includes('admin')) return true;
  if (required === 'reader' && caller.roles.includes('member')) return true;
  return caller.roles.includes(required);
}
