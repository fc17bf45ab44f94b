import type { Command, Option } from 'commander';
import { isPrintable } from '../../lib/printable.ts';
import type { Store } from '../../lib/redis/store.ts';
import { Context } from '../context.ts';
import {
  type Candidate,
  nodeCandidates,
  projectCandidates,
  snapshotCandidates,
  statusCandidates,
  transferCandidates,
  groupCandidates,
  typeCandidates,
  userCandidates,
  volumeCandidates,
} from './candidates.ts';

/** A user does not wait longer for a completion. */
const timeLimitMs = 2000;
/** Makes the shell complete file names. */
const fileNames = ':files';

/**
 * Prints the candidates for the last word, one a line, each followed by a tab and a description. Prints nothing on any
 * error (Redis unreachable, unknown option): an error message would disturb the line being typed.
 */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const timer = setTimeout(() => process.exit(0), timeLimitMs);
  const found = await candidates(program, before, current).catch(() => []);
  clearTimeout(timer);
  const lines =
    found === fileNames
      ? [fileNames]
      : found.flatMap(({ text, about }) => (isPrintable(text) ? [`${text}\t${about}`] : []));
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

async function candidates(
  program: Command,
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[] | typeof fileNames> {
  const place = placeOf(program, before);
  const asked = { program, before, current };
  if (place.option) return valuesOf(place, place.option.argChoices, valueName(place.option), asked);
  if (current.startsWith('-')) return startingWith(current, optionsOf(place.command));
  const help = place.command.createHelp();
  const commands = help.visibleCommands(place.command).map((command) => ({
    text: command.name(),
    about: command.description(),
  }));
  if (commands.length > 0) return startingWith(current, commands);
  const args = place.command.registeredArguments;
  const argument = args[place.argument] ?? (args.at(-1)?.variadic ? args.at(-1) : undefined);
  if (!argument) return [];
  return valuesOf(place, argument.argChoices, argument.name(), asked);
}

interface Place {
  command: Command;
  /** The option whose value comes next. */
  option: Option | undefined;
  /** Number of arguments before this one. */
  argument: number;
}

/** Returns the position in the command tree after the words before the current one. */
function placeOf(program: Command, before: readonly string[]): Place {
  const place: Place = { command: program, option: undefined, argument: 0 };
  for (const word of before) {
    if (place.option) {
      place.option = undefined;
    } else if (word.startsWith('-')) {
      const option = lineage(place.command)
        .flatMap((command) => command.options)
        .find(({ long, short }) => word === long || word === short);
      place.option = option?.required ? option : undefined;
    } else {
      const next = place.command.commands.find((command) => command.name() === word);
      if (next) Object.assign(place, { command: next, argument: 0 });
      else place.argument += 1;
    }
  }
  return place;
}

function lineage(command: Command): Command[] {
  return command.parent ? [command, ...lineage(command.parent)] : [command];
}

function optionsOf(command: Command): Candidate[] {
  const help = command.createHelp();
  return [...help.visibleOptions(command), ...help.visibleGlobalOptions(command)].map((option) => ({
    text: option.long ?? option.flags,
    about: option.description,
  }));
}

/** Returns "node" for "--node <node>". */
function valueName({ flags }: Option): string {
  return /<([^>]+)>/.exec(flags)?.[1] ?? '';
}

type Find = (store: Store, prefix: string) => Promise<Candidate[]>;

const finders = new Map<string, Find>([
  ['volume', volumeCandidates],
  ['snapshot', snapshotCandidates],
  ['transfer', transferCandidates],
  ['type', typeCandidates],
  ['group', groupCandidates],
  ['node', nodeCandidates],
]);
/** Elsewhere users and projects are what records have of them: any text. */
const identityFinders = new Map<string, Find>([
  ['user', userCandidates],
  ['project', projectCandidates],
]);
const identityNouns: ReadonlySet<string> = new Set(['user', 'project', 'token']);

async function valuesOf(
  { command }: Place,
  choices: readonly string[] | undefined,
  name: string,
  { program, before, current }: { program: Command; before: readonly string[]; current: string },
): Promise<readonly Candidate[] | typeof fileNames> {
  if (choices)
    return startingWith(
      current,
      choices.map((text) => ({ text, about: '' })),
    );
  if (name === 'file') return fileNames;
  if (name === 'status') return startingWith(current, statusCandidates);
  const isOfIdentity = identityNouns.has(command.parent?.name() ?? '');
  const find = finders.get(name) ?? (isOfIdentity ? identityFinders.get(name) : undefined);
  if (!find) return [];
  program.parseOptions([...before]); // selects the cluster
  await using session = await Context.of(program).open();
  return startingWith(current, await find(session.store, current));
}

function startingWith(current: string, all: readonly Candidate[]): Candidate[] {
  return all.filter(({ text }) => text.startsWith(current));
}
