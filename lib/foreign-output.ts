import { format } from 'node:util';
import type { Log } from './log.ts';

/**
 * Sends to the log what libraries and Node.js write to standard output and error by themselves: between the lines of a JSON log it
 * could not be parsed, and between results it would be taken for one.
 */
export function redirectForeignOutput(log: Log): void {
  const warn = (...words: unknown[]) => log.warn(format(...words));
  Object.assign(console, { log: warn, info: warn, warn, error: warn, trace: warn, debug: warn });
  process.removeAllListeners('warning'); // that of Node.js, which prints
  process.on('warning', ({ name, message }) => log.warn(`${name}: ${message}`));
}
