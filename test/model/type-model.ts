import type { Answer, Move, Phase, Rules } from './explain.ts';
import type { State } from './state.ts';

/** The type of volumes, which is there or not. `use`: a volume of it is created. */
export interface TypeCommand {
  name: 'make type' | 'remove type' | 'use';
}

export const typeRules: Rules<TypeCommand> = { first: 'absent', finished: () => [], moves };

/** Each takes effect at one moment. */
function moves({ name }: TypeCommand, answer: Answer, phase: Phase, state: State): Move[] {
  if (phase !== 'called') return [];
  const isThere = state === 'there';
  const over = (to: State): Move[] => [{ phase: 'over', state: to }];
  if (answer.kind === 'unknown') return [...over(state), ...over(name === 'make type' ? 'there' : 'absent')];
  if (answer.kind === 'ok' && name === 'make type') return over('there');
  if (answer.kind === 'ok' && name === 'remove type') return isThere ? over('absent') : [];
  if (answer.kind !== 'error') return over(state); // of a volume that was created before, perhaps
  if (answer.code === 'TypeNotFound') return isThere ? [] : over(state);
  if (answer.code === 'TypeInUse') return isThere && name === 'remove type' ? over(state) : [];
  return name === 'use' ? over(state) : [];
}
