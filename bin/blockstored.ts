import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes } from '../cli/exit-codes.ts';
import { asError, errors } from '../lib/errors.ts';
import { loadFlags } from '../lib/flags/load.ts';
import { printConfig } from '../lib/flags/print.ts';
import { version } from '../lib/version.ts';
import { embeddedFlags } from '../services/daemon/embedded.ts';
import { systemConfig, usage } from '../services/daemon/usage.ts';

const root = join(import.meta.dirname, '..');

async function main(argv: readonly string[]): Promise<void> {
  if (argv.includes('--help')) return void process.stdout.write(usage());
  if (argv.includes('--version')) return void process.stdout.write(`${version}\n`);
  const own = new Set(['--embedded', '--print-config']);
  const embedded = argv.includes('--embedded');
  const at = argv.indexOf('--config');
  const named = at < 0 ? undefined : argv[at + 1];
  if (at >= 0 && named === undefined) throw errors.invalidFlags(['--config requires a file name (command line)']);
  const rest = argv.filter((word, index) => !own.has(word) && (at < 0 || (index !== at && index !== at + 1)));
  const usual = !embedded && existsSync(systemConfig) ? systemConfig : undefined;
  const file = named ?? process.env['BLOCKSTORE_CONFIG'] ?? usual;
  const loaded = loadFlags({
    argv: rest,
    env: process.env,
    file,
    ...(embedded ? { embedded: embeddedFlags(root) } : {}),
  });
  if (loaded.rest.length > 0)
    throw errors.invalidFlags(loaded.rest.map((word) => `${word} is not a flag (command line)`));
  if (argv.includes('--print-config')) return void process.stdout.write(printConfig(loaded));
  const { runDaemon } = await import('../services/daemon/run.ts');
  await runDaemon(loaded.flags, embedded ? root : undefined);
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  const { message, hint, kind } = asError(thrown);
  const lines = message.split('\n').map((line) => `blockstored: ${line}\n`);
  process.stderr.write(`${lines.join('')}${hint === undefined ? '' : `  ${hint}\n`}`);
  process.exitCode = exitCodes[kind];
}
