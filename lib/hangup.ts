import { readFileSync, realpathSync } from 'node:fs';

/**
 * Whether the end of a terminal (SIGHUP) ends nothing, because nohup(1) started this: the launcher, which sees that, passes it on. npm is
 * a Node.js, which resets the ignored signal for its children; the standard input that nohup gives remains.
 */
export const ignoresHangup = process.env['BLOCKSTORE_NOHUP'] === '1' || hasInputOfNohup();

/** In place of a terminal: /dev/null, open for writing alone, so that a read fails. */
function hasInputOfNohup(): boolean {
  try {
    if (realpathSync('/proc/self/fd/0') !== '/dev/null') return false;
    return /^flags:\s*0?[0-7]*1$/m.test(readFileSync('/proc/self/fdinfo/0', 'utf8'));
  } catch {
    return false; // closed
  }
}
