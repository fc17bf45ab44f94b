/** What a user can be in a project, from the least to the most; a service acts for its users. */
export const roles = ['reader', 'member', 'service', 'admin'] as const;
export type Role = (typeof roles)[number];

/** Returns the roles that a text names, separated by commas, in their order; others are ignored. */
export function rolesIn(text: string): Role[] {
  const named = new Set(text.split(','));
  return roles.filter((role) => named.has(role));
}

export function rolesText(given: Iterable<Role>): string {
  const set = new Set(given);
  return roles.filter((role) => set.has(role)).join(',');
}
