import type { State } from './state.ts';

/** ok, the state that was read, the code of an error, or nothing known: it may have happened, now or later, or not. */
export type Answer =
  | { kind: 'ok' }
  | { kind: 'state'; state: State }
  | { kind: 'error'; code: string }
  | { kind: 'unknown' };

/** Between `called` and `over` whatever the rules of the command say. */
export type Phase = string;

export interface Move {
  phase: Phase;
  state: State;
}

/** A kind of objects without any I/O. */
export interface Rules<Command> {
  first: State;
  /** The states that it may be in next without a command. */
  finished: (state: State) => State[];
  /** Every next step of a command that is to end with this answer. */
  moves: (command: Command, answer: Answer, phase: Phase, state: State) => Move[];
}

/** A command on one object, with when it was called and answered: places in the order of all that happened. */
export interface Entry<Command> {
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
 * Whether the answers about one object can be explained by some order of what was done, each command between its call and
 * its answer. Undefined when they can; else the first answer that no order explains, with the states that there could be.
 */
export function unexplained<Command extends { name: string }>(
  rules: Rules<Command>,
  history: readonly Entry<Command>[],
  last: State,
): string | undefined {
  const closure = (from: readonly Configuration[]) => reachable(rules, from, history);
  const places = history.flatMap((entry, index) => [
    { at: entry.called, index, isCall: true },
    { at: entry.answered, index, isCall: false },
  ]);
  let possible = closure([{ state: rules.first, phases: new Map() }]);
  for (const { index, isCall, at } of places.toSorted((one, other) => one.at - other.at)) {
    const entry = history[index];
    if (!entry || at === Number.POSITIVE_INFINITY) continue;
    if (isCall) {
      possible = closure(
        possible.map(({ state, phases }) => ({ state, phases: new Map(phases).set(index, 'called') })),
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

export function describe<Command extends { name: string }>(entry: Entry<Command>): string {
  const { client, command, answer, called, answered } = entry;
  const more = Object.entries(command).flatMap(([name, value]) => (name === 'name' ? [] : `${name} ${value}`));
  const what = [command.name, ...more].join(', ');
  const how = answer.kind === 'state' ? answer.state : answer.kind === 'error' ? answer.code : answer.kind;
  return `${client}: ${what} [${called}, ${answered}] -> ${how}`;
}

/** With everything that could have happened next, and after that. */
function reachable<Command extends { name: string }>(
  { finished, moves }: Rules<Command>,
  from: readonly Configuration[],
  history: readonly Entry<Command>[],
): Configuration[] {
  const found = new Map<string, Configuration>();
  const open = [...from];
  for (let configuration = open.pop(); configuration; configuration = open.pop()) {
    const { state, phases } = configuration;
    const key = `${state}|${[...phases].map(String).toSorted().join(';')}`;
    if (found.has(key)) continue;
    found.set(key, configuration);
    for (const after of finished(state)) open.push({ state: after, phases });
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
