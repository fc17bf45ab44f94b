import { helpText } from '../../lib/flags/print.ts';
import { version } from '../../lib/version.ts';

export const systemConfig = '/etc/blockstore/blockstore.conf';

/** The options of `blockstored` that are not flags, with their meanings, as help and manual page print them. */
export const daemonOptions: readonly (readonly [string, string])[] = [
  ['--config FILE', `configuration file (default: $BLOCKSTORE_CONFIG, ${systemConfig})`],
  ['--embedded', 'trial mode: private Redis, sparse files, all data under ./var'],
  ['--print-config', 'print every flag with its value and source, then exit'],
  ['-h, --help', 'print this help'],
  ['--version', 'print the version'],
];

/** Returns the text of `blockstored --help`. */
export function usage(): string {
  const options = daemonOptions.map(([name, meaning]) => `  ${name.padEnd(15)} ${meaning}`).join('\n');
  return `blockstored ${version}: the daemon of a storage node.

Usage: blockstored [--config FILE] [--embedded] [--print-config] [--FLAG VALUE …]

${options}

Flags. A later source overrides an earlier one: default, file, environment (BLOCKSTORE_NAME), command line.

${helpText()}
`;
}
