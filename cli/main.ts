import { CommanderError, type Command } from 'commander';
import { asError, errors } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';

/** Runs one command line and exits once all output is written, whatever timers libraries still have. */
export async function main(argv: readonly string[]): Promise<never> {
  exitOnWriteError();
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
    await program.parseAsync(withHelpOption(program, argv), { from: 'user' });
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
  if (error.code === 'Internal' && error.cause instanceof Error) process.stderr.write(`${error.cause.stack}\n`);
  return exitCodes[error.kind];
}

/** Returns commander's message with a hint at the help of the command. */
function usageError({ message }: CommanderError, program: Command, argv: readonly string[]) {
  let command = program;
  const path = [program.name()];
  for (const word of argv) {
    const next = command.commands.find((child) => child.name() === word);
    if (!next) continue;
    command = next;
    path.push(word);
  }
  return errors.usage(message.replace(/^error: /, '').replaceAll('\n', ' '), path.join(' '));
}

/** `help volume create` and `volume help create` are `volume create --help`. */
function withHelpOption(program: Command, argv: readonly string[]): readonly string[] {
  const [first, second] = argv;
  const noun = program.commands.find((command) => command.name() === first);
  const at = first === 'help' ? 0 : second === 'help' && noun !== undefined && noun.commands.length > 0 ? 1 : -1;
  return at < 0 ? argv : [...argv.slice(0, at), ...argv.slice(at + 1), '--help'];
}

/** Throws InvalidArgument: Node.js replaces each byte that is not UTF-8, and another name would be stored. */
function checkEncoding(argv: readonly string[]): void {
  const invalid = argv.find((word) => word.includes('\u{FFFD}'));
  if (invalid !== undefined) throw errors.invalidArgument('argument', invalid, 'valid UTF-8');
}

/**
 * Exits when output cannot be written: without an error when the reader of a pipe ends, as in `blockstore volume list | head`; else
 * with one line, as on a full file system.
 */
function exitOnWriteError(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    const { message } = errors.outputFailed(error.code ?? error.message);
    process.stderr.write(`blockstore: ${message}\n`, () => process.exit(exitCodes.failed));
  });
  process.stderr.on('error', (error: NodeJS.ErrnoException) => {
    process.exit(error.code === 'EPIPE' ? 0 : exitCodes.failed);
  });
}
