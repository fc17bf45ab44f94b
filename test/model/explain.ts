import { type Answer, type Command, type Phase, type State, finished, moves } from './volume-model.ts';

/** A command on one volume, with when it was called and answered: places in the order of all that happened. */
export interface Entry {
  command: Command;
  answer: Answer;
  called: number;
  /** Infinity where nobody knows how it ended. */
  answered: number;
  client: string;
}

interface Configuration {
  state: State;
  phases: ReadonlyMap<number, Phase>;
}

/**
 * Whether the answers about one volume can be explained by some order of what was done, each command between its call and
 * its answer. Undefined when they can; else the first answer that no order explains, with the states that there could be.
 */
export function unexplained(history: readonly Entry[], last: State): string | undefined {
  const places = history.flatMap((entry, index) => [
    { at: entry.called, index, isCall: true },
    { at: entry.answered, index, isCall: false },
  ]);
  let possible = closure([{ state: 'absent', phases: new Map() }], history);
  for (const { index, isCall, at } of places.toSorted((one, other) => one.at - other.at)) {
    const entry = history[index];
    if (!entry || at === Number.POSITIVE_INFINITY) continue;
    if (isCall) {
      possible = closure(
        possible.map(({ state, phases }) => ({ state, phases: new Map(phases).set(index, 'called') })),
        history,
      );
      continue;
    }
    const after = possible.filter(({ phases }) => phases.get(index) === 'over');
    if (after.length === 0) return `${describe(entry)}, while it could be ${states(possible)}`;
    possible = after.map(({ state, phases }) => ({
      state,
      phases: new Map([...phases].filter(([other]) => other !== index)),
    }));
  }
  return possible.some(({ state }) => state === last) ? undefined : `it ended ${last}, not ${states(possible)}`;
}

export function describe({ client, command, answer, called, answered }: Entry): string {
  const what = command.name === 'attach' ? `attach to ${command.instance}` : command.name;
  const how = answer.kind === 'state' ? answer.state : answer.kind === 'error' ? answer.code : answer.kind;
  return `${client}: ${what} [${called}, ${answered}] -> ${how}`;
}

/** With everything that could have happened next, and after that. */
function closure(from: readonly Configuration[], history: readonly Entry[]): Configuration[] {
  const found = new Map<string, Configuration>();
  const open = [...from];
  for (let configuration = open.pop(); configuration; configuration = open.pop()) {
    const { state, phases } = configuration;
    const key = `${state}|${[...phases].map(String).toSorted().join(';')}`;
    if (found.has(key)) continue;
    found.set(key, configuration);
    const after = finished(state);
    if (after !== undefined) open.push({ state: after, phases });
    for (const [index, phase] of phases) {
      const entry = history[index];
      if (!entry) continue;
      for (const move of moves(entry.command, entry.answer, phase, state)) {
        open.push({ state: move.state, phases: new Map(phases).set(index, move.phase) });
      }
    }
  }
  return [...found.values()];
}

function states(configurations: readonly Configuration[]): string {
  return [...new Set(configurations.map(({ state }) => state))].join(' or ');
}
