/** Files of the lab that take several minutes: each is a part of `npm run test:all`, and the gate runs none. */
export const longestLabFiles: readonly string[] = ['backends', 'guest', 'killed-commands', 'pairs'];
