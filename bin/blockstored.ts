import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { exitCodes } from '../cli/exit-codes.ts';
import { asError, errors } from '../lib/errors.ts';
import { loadFlags } from '../lib/flags/load.ts';
import { printConfig as configText } from '../lib/flags/print.ts';
import { version } from '../lib/version.ts';
import { embeddedFlags } from '../services/daemon/embedded.ts';
import { daemonOptionsIn } from '../services/daemon/options.ts';
import { systemConfig, usage } from '../services/daemon/usage.ts';

const root = join(import.meta.dirname, '..');

async function main(argv: readonly string[]): Promise<void> {
  const { help, printConfig, embedded, config, rest, ...options } = daemonOptionsIn(argv, process.env);
  if (help) return void process.stdout.write(usage());
  if (options.version) return void process.stdout.write(`${version}\n`);
  const usual = !embedded && existsSync(systemConfig) ? systemConfig : undefined;
  const loaded = loadFlags({
    argv: rest,
    env: process.env,
    file: config ?? usual,
    ...(embedded ? { embedded: embeddedFlags(root) } : {}),
  });
  if (loaded.rest.length > 0)
    throw errors.invalidFlags(loaded.rest.map((word) => `${beforeValue(word)} is not a flag (command line)`));
  if (printConfig) return void process.stdout.write(configText(loaded));
  const { runDaemon } = await import('../services/daemon/run.ts');
  await runDaemon(loaded, embedded ? root : undefined);
}

/** What follows may be a secret. */
function beforeValue(word: string): string {
  const at = word.indexOf('=');
  return at < 0 ? word : `${word.slice(0, at)}=…`;
}

try {
  await main(process.argv.slice(2));
} catch (thrown) {
  const { message, hint, kind } = asError(thrown);
  const lines = message.split('\n').map((line) => `blockstored: ${line}\n`);
  process.stderr.write(`${lines.join('')}${hint === undefined ? '' : `  ${hint}\n`}`);
  process.exitCode = exitCodes[kind];
}
