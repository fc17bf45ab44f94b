import { errors } from '../../lib/errors.ts';

/** The command line of blockstored. */
export interface DaemonOptions {
  help: boolean;
  version: boolean;
  embedded: boolean;
  printConfig: boolean;
  /** The file that --config or BLOCKSTORE_CONFIG names. */
  config: string | undefined;
  /** Flags. */
  rest: string[];
}

/** Throws InvalidFlags. */
export function daemonOptionsIn(
  argv: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): DaemonOptions {
  const found = new Set<string>();
  const rest: string[] = [];
  let config: string | undefined;
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--config' || word.startsWith('--config=')) {
      if (word === '--config') index += 1;
      config = word === '--config' ? argv[index] : word.slice('--config='.length);
      if (config === undefined || config.trim() === '')
        throw errors.invalidFlags(['--config requires a file name (command line)']);
    } else if (word === '-h' || (word === 'help' && index === 0)) found.add('--help');
    else if (['--help', '--version', '--embedded', '--print-config'].includes(word)) found.add(word);
    else rest.push(word);
  }
  return {
    help: found.has('--help'),
    version: found.has('--version'),
    embedded: found.has('--embedded'),
    printConfig: found.has('--print-config'),
    config: config ?? (env['BLOCKSTORE_CONFIG']?.trim() || undefined),
    rest,
  };
}
