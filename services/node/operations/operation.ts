import type { OperationName, TransitionName } from '../../../lib/models/transitions.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Backend } from '../backend.ts';

/** What a step works with. */
export interface StepContext {
  volume: VolumeState;
  backend: Backend;
  /** Whether this very run has made the storage: nobody can have data on it. */
  madeStorage: boolean;
  /** Aborts when the daemon stops; the step is walked again at the next start. */
  signal: AbortSignal;
  /** 0 to 100; shown in the record. */
  progress: (percent: number) => void;
}

export interface Step {
  name: string;
  /** Asked only when the operation is walked again. */
  isDone?(context: StepContext): Promise<boolean>;
  /** "Make it so": also right when it was done before, wholly or half. Returns fields for the record. */
  run(context: StepContext): Promise<Record<string, string> | void>;
}

/** What a node does to a volume: steps, then one guarded transition. A new operation is a new one of these. */
export interface Operation {
  name: OperationName;
  /** Long work has its own bound, so that it does not hold up short work. */
  lane: 'short' | 'long';
  /** Whether the record still asks for it. */
  isDue(volume: VolumeState): boolean;
  steps: readonly Step[];
  /** Gives back what the steps took when one of them failed for good. */
  undo: readonly Step[];
  finish: TransitionName;
  fail: TransitionName;
  /** In place of `fail` when the undoing failed as well: what is still taken stays with the record. */
  failKept?: TransitionName;
}
