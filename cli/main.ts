import { CommanderError, type Command } from 'commander';
import { asError, errors } from '../lib/errors.ts';
import { exitCodes } from './exit-codes.ts';
import { Output } from './output.ts';
import { buildProgram } from './program.ts';

/** Runs one command line and exits once all output is written, whatever timers libraries still have. */
export async function main(argv: readonly string[]): Promise<never> {
  exitOnClosedPipe();
  const code = await run(argv);
  for (const stream of [process.stdout, process.stderr]) await new Promise((resolve) => stream.write('', resolve));
  process.exit(code);
}

/** Returns the exit code. */
async function run(argv: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync(argv, { from: 'user' });
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

/** Exits without an error when the reader of a pipe ends, as in `blockstore volume list | head`. */
function exitOnClosedPipe(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(0);
    });
  }
}
