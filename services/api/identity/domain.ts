import { createHash } from 'node:crypto';
import { type Role, roles } from '../../../lib/models/role.ts';

/** The only domain. */
export const domain = { id: 'default', name: 'Default' } as const;

/** Whether a reference of a client can mean the domain; one that is not given does. */
export function isDomain({ id, name }: { id?: string | undefined; name?: string | undefined } = {}): boolean {
  return (id === undefined || id === domain.id) && (name === undefined || name.toLowerCase() === domain.id);
}

/** Ids of roles are the same in every cluster. */
export function roleId(role: Role): string {
  return createHash('sha256').update(`role:${role}`).digest('hex').slice(0, 32);
}

export function roleWithId(id: string): Role | undefined {
  return roles.find((role) => roleId(role) === id);
}
