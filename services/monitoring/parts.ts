import type { Store } from '../../lib/redis/store.ts';
import type { NodeFigures } from '../node/figures.ts';

/** What monitoring reads of a daemon: undefined is what has not started yet. */
export interface DaemonParts {
  phase: 'starting' | 'running' | 'stopping';
  store: Store | undefined;
  figures: NodeFigures | undefined;
}
