import type { TaskKind } from '../../../lib/models/task.ts';

/**
 * How a run of an operation ended. `refused`: nothing was changed; `handed_back`: the volume is placed on another backend; `postponed`: its
 * backend is not served; `interrupted`: by a stop, a lost lease or Redis. The last two are resumed.
 */
export type OperationOutcome = 'completed' | 'failed' | 'refused' | 'handed_back' | 'postponed' | 'interrupted';

/** Called at the end of each run; `seconds`: since the node began it or had it wait. */
export type ObserveOperation = (operation: TaskKind, outcome: OperationOutcome, seconds: number) => void;
