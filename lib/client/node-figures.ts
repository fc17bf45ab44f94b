import type { NodeState } from '../models/node.ts';
import { duration } from '../format-text.ts';
import { freeSpaceOf } from './placement-reasons.ts';

/** Sums over the backends of a node, in bytes: free is what new volumes may have. */
export function sizesOf({ backends }: Pick<NodeState, 'backends'>): { totalBytes: number; freeBytes: number } {
  return {
    totalBytes: backends.reduce((sum, { totalBytes }) => sum + totalBytes, 0),
    freeBytes: backends.reduce((sum, backend) => sum + freeSpaceOf(backend), 0),
  };
}

/** Problems of a node and of its backends; one that several backends have, such as that of their interface, once. */
export function problemsIn({ problems, backends }: Pick<NodeState, 'problems' | 'backends'>): string[] {
  const names = Map.groupBy(backends, ({ problem }) => problem);
  names.delete('');
  const ofBackends = Array.from(names, ([problem, having]) => {
    const what = having.length === 1 ? 'backend' : 'backends';
    return `${what} ${having.map(({ name }) => name).join(', ')}: ${problem}`;
  });
  return [...problems, ...ofBackends];
}

/** Whether it takes no further volumes: all of its backends are closed. */
export function isClosed({ backends }: Pick<NodeState, 'backends'>): boolean {
  return backends.length > 0 && backends.every((backend) => backend.isClosed);
}

/** Returns the age of the last report. */
export function lastSeen({ reportTime }: Pick<NodeState, 'reportTime'>): string {
  return reportTime === undefined ? 'never' : `${duration(Date.now() - reportTime)} ago`;
}
