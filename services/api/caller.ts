/** What a caller may do, from the least to the most; a service acts for its users. */
export const roles = ['reader', 'member', 'service', 'admin'] as const;
export type Role = (typeof roles)[number];

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
