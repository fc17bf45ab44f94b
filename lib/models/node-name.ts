export const nodeNameRule = 'must be 1 to 63 letters, digits, dots, dashes or underscores';

/** Whether a node can have this name: no other text must become a part of a key. */
export function isNodeName(name: string): boolean {
  return /^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$/.test(name);
}
