import { readIfExistsSync } from './files.ts';

export interface ProcessStatus {
  name: string;
  /** A letter as in ps(1): T is stopped by a signal. */
  state: string;
  /** In clock ticks since boot. Process id and start time identify a process permanently: ids are reused, pairs are not. */
  startTime: number;
}

/** Returns undefined where no process has that id, or a zombie, which has closed its files already. */
export function processStatus(pid: number): ProcessStatus | undefined {
  const line = readIfExistsSync(`/proc/${pid}/stat`);
  if (!line) return undefined;
  // The name is in parentheses and can contain any character, so the fields are counted from the last parenthesis.
  const end = line.lastIndexOf(')');
  const fields = line.slice(end + 2).split(' ');
  const [state = ''] = fields;
  if (state === 'Z' || state === 'X') return undefined;
  return { name: line.slice(line.indexOf('(') + 1, end), state, startTime: Number(fields[19]) };
}
