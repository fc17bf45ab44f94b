import { format } from 'node:util';
import type { Log } from './log.ts';

/** What the Redis client makes of any refusal that contains "no password is set": that of protected mode. It is untrue there. */
const untrue = /^\[WARN\] Redis server does not require a password/;

/**
 * Sends to the log what libraries and Node.js write to standard output and error by themselves: between the lines of a JSON log it
 * could not be parsed, and between results it would be taken for one.
 */
export function redirectForeignOutput(log: Log): void {
  const warn = (...words: unknown[]) => {
    const text = format(...words);
    if (!untrue.test(text)) log.warn(text);
  };
  Object.assign(console, { log: warn, info: warn, warn, error: warn, trace: warn, debug: warn });
  process.removeAllListeners('warning'); // that of Node.js, which prints
  process.on('warning', ({ name, message }) => log.warn(`${name}: ${message}`));
}
