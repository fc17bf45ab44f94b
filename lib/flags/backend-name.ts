export const backendNameRule =
  'must be a lower-case letter, then at most 30 lower-case letters, digits, dashes or single underscores';

/** Two underscores separate backend and flag in the names of environment variables. */
export function isBackendName(name: string): boolean {
  return /^[a-z][a-z0-9_-]{0,30}$/.test(name) && !name.includes('__');
}
