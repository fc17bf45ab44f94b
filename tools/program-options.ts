import { type ParseArgsOptionsConfig, parseArgs } from 'node:util';

/** Returns the values of a program's options. Prints `usage` and exits for --help, and for words that it does not know. */
export function programOptions<const T extends ParseArgsOptionsConfig>(usage: string, options: T) {
  helpIfAsked(usage);
  try {
    return parseArgs({ options }).values;
  } catch (error) {
    return refuse(usage, error instanceof Error ? error.message : String(error));
  }
}

/** Prints the usage and exits if that is asked for. */
export function helpIfAsked(usage: string): void {
  if (!process.argv.slice(2).some((word) => word === '--help' || word === '-h')) return;
  console.log(usage);
  process.exit(0);
}

/** Exits with the usage if the value of an option is not a whole number from `least` on. */
export function wholeNumber(usage: string, option: string, text: string, least = 0): number {
  const value = /^\d{1,15}$/.test(text) ? Number(text) : -1;
  return value >= least ? value : refuse(usage, `--${option} ${text}: not a whole number from ${least} on`);
}

/** Prints the problem with the usage of the program, and exits. */
export function refuse(usage: string, problem: string): never {
  console.error(`${problem}\n\n${usage}`);
  return process.exit(2);
}
