import { CommanderError, type Command } from 'commander';
import { asError, errors } from '../lib/errors.ts';
import { ignoresHangup } from '../lib/hangup.ts';
import { printableLines } from '../lib/printable.ts';
import { exitCodes, interruptedCode, isInterruption } from './exit-codes.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';
import { exitOnWriteError } from './write-errors.ts';

/** Runs one command line and exits once all output is written, whatever timers libraries still have. */
export async function main(argv: readonly string[]): Promise<never> {
  // Also for children, as in the daemon: what modprobe, iscsiadm and virsh make is readable by whom it is meant for.
  process.umask(0o022);
  exitOnWriteError();
  if (ignoresHangup) process.on('SIGHUP', () => {});
  // A defect. Not by Node.js, which prints all properties of an error, also commands with secrets.
  process.once('uncaughtException', (thrown) => {
    const code = report(thrown, buildProgram(), argv);
    process.stderr.write('', () => process.exit(code));
  });
  Object.assign(console, { warn: () => {} }); // the Redis client: the errors of lib/redis say what it warns of
  const code = await run(argv);
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
  process.exit(code);
}

/** Returns the exit code. */
async function run(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    checkEncoding(argv);
    await program.parseAsync(withHelpOption(argv), { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (thrown) {
    if (thrown instanceof CommanderError && thrown.exitCode === 0) return 0;
    return report(thrown, program, argv);
  }
}

function report(thrown: unknown, program: Command, argv: readonly string[]): number {
  if (thrown instanceof CommanderError && thrown.code === 'commander.help') return exitCodes.invalid;
  const error = thrown instanceof CommanderError ? usageError(thrown, program, argv) : asError(thrown);
  new Output({ json: argv.includes('--json'), color: !argv.includes('--no-color'), quiet: false }).error(error);
  if (error.code === 'Internal' && error.cause instanceof Error)
    process.stderr.write(`${printableLines(error.cause.stack ?? '')}\n`);
  return isInterruption(error.code) ? interruptedCode : exitCodes[error.kind];
}

/** Returns commander's message with a hint at the help of the command. */
function usageError({ message }: CommanderError, program: Command, argv: readonly string[]) {
  let command = program;
  const path = [program.name()];
  for (const word of argv) {
    const next = childOf(command, word);
    if (!next) continue;
    command = next;
    path.push(word);
  }
  const text = message
    .replace(/^error: /, '')
    .replace(/^command-argument value (.*) is invalid for argument '(.*?)'/, 'argument $1 is invalid for <$2>')
    .replaceAll('\n', ' ');
  return errors.usage(text, path.join(' '));
}

/**
 * `help volume create` and `volume help create` are `volume create --help`, also behind options. Of an unknown command nobody gets the
 * help of another one.
 */
function withHelpOption(argv: readonly string[]): readonly string[] {
  const at = argv.indexOf('help');
  const isOption = (word: string) => word === '--help' || word === '-h';
  if (at < 0 && !argv.some(isOption)) return argv;
  const program = buildProgram(); // not the one that runs the command: parsing sets its options
  const { operands } = program.parseOptions([...argv]);
  const noun = childOf(program, operands[0]);
  const isHelp = operands[0] === 'help' || (operands[1] === 'help' && noun !== undefined && noun.commands.length > 0);
  if (!isHelp) return isKnown(program, operands) ? argv : argv.filter((word) => !isOption(word));
  if (operands[0] === 'help' && operands[1] === 'help') return ['--help'];
  const words = argv.toSpliced(at, 1);
  return isKnown(program, operands.toSpliced(operands.indexOf('help'), 1)) ? [...words, '--help'] : words;
}

/** Whether the words begin with the name of a command, or with the whole name of one in a group. */
function isKnown(program: Command, words: readonly string[]): boolean {
  let command = program;
  for (const word of words) {
    if (command.commands.length === 0) return true;
    const next = childOf(command, word);
    if (!next) return false;
    command = next;
  }
  return true;
}

function childOf(command: Command, name: string | undefined): Command | undefined {
  return command.commands.find((child) => child.name() === name);
}

/** Throws InvalidArgument: Node.js replaces each byte that is not UTF-8, and another name would be stored. */
function checkEncoding(argv: readonly string[]): void {
  const invalid = argv.find((word) => word.includes('\u{FFFD}'));
  if (invalid !== undefined) throw errors.invalidArgument('argument', invalid, 'valid UTF-8');
}
