import type { Command, Option } from 'commander';
import { Context } from '../context.ts';
import { type Candidate, nodeCandidates, statusCandidates, volumeCandidates } from './candidates.ts';

/** Nobody waits longer for a key. */
const patienceMs = 2000;
/** Told to the shell in place of candidates. */
const filesWanted = ':files';

/**
 * Prints what may stand in place of the last word, one a line, after a tab what it is. What cannot be found out, because
 * Redis is away or a word before is wrong, has no candidates: an error has no place in a line that is being typed.
 */
export async function complete(program: Command, words: readonly string[]): Promise<void> {
  const before = words.slice(0, -1);
  const current = words.at(-1) ?? '';
  const tooLate = setTimeout(() => process.exit(0), patienceMs);
  const found = await candidates(program, before, current).catch(() => []);
  clearTimeout(tooLate);
  const lines = found === filesWanted ? [filesWanted] : found.map(({ text, about }) => `${text}\t${about}`);
  process.stdout.write(lines.map((line) => `${line}\n`).join(''));
}

async function candidates(
  program: Command,
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[] | typeof filesWanted> {
  const place = placeOf(program, before);
  if (place.option) return valuesOf(place.option.argChoices, valueName(place.option), program, before, current);
  if (current.startsWith('-')) return beginning(current, optionsOf(place.command));
  const help = place.command.createHelp();
  const commands = help.visibleCommands(place.command).map((command) => ({
    text: command.name(),
    about: command.description(),
  }));
  if (commands.length > 0) return beginning(current, commands);
  const args = place.command.registeredArguments;
  const argument = args[place.argument] ?? (args.at(-1)?.variadic ? args.at(-1) : undefined);
  if (!argument) return [];
  return valuesOf(argument.argChoices, argument.name(), program, before, current);
}

interface Place {
  command: Command;
  /** The option whose value comes next. */
  option: Option | undefined;
  /** How many arguments stand already. */
  argument: number;
}

/** Where in the command tree the words before lead. */
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

/** "node" of "--node <node>". */
function valueName({ flags }: Option): string {
  return /<([^>]+)>/.exec(flags)?.[1] ?? '';
}

async function valuesOf(
  choices: readonly string[] | undefined,
  name: string,
  program: Command,
  before: readonly string[],
  current: string,
): Promise<readonly Candidate[] | typeof filesWanted> {
  if (choices)
    return beginning(
      current,
      choices.map((text) => ({ text, about: '' })),
    );
  if (name === 'file') return filesWanted;
  if (name === 'status') return beginning(current, statusCandidates);
  const find = name === 'volume' ? volumeCandidates : name === 'node' ? nodeCandidates : undefined;
  if (!find) return [];
  program.parseOptions([...before]); // which cluster
  await using session = await Context.of(program).open();
  return beginning(current, await find(session.store, current));
}

function beginning(current: string, all: readonly Candidate[]): Candidate[] {
  return all.filter(({ text }) => text.startsWith(current));
}
