import { join } from 'node:path';
import { exitCodes } from '../cli/exit-codes.ts';
import { asError, errors } from '../lib/errors.ts';
import { loadFlags } from '../lib/flags/load.ts';
import { printConfig as configText } from '../lib/flags/print.ts';
import { isNamed } from '../lib/named-file.ts';
import { printable, printableLines } from '../lib/printable.ts';
import { version } from '../lib/version.ts';
import { embeddedFlags } from '../services/daemon/embedded.ts';
import { daemonOptionsIn } from '../services/daemon/options.ts';
import { systemConfig, usage } from '../services/daemon/usage.ts';

const root = join(import.meta.dirname, '..');

async function main(argv: readonly string[]): Promise<void> {
  const { help, printConfig, embedded, config, rest, ...options } = daemonOptionsIn(argv, process.env);
  if (help) return print(usage());
  if (options.version) return print(`${version}\n`);
  const usual = !embedded && isNamed(systemConfig) ? systemConfig : undefined;
  const loaded = loadFlags({
    argv: rest,
    env: process.env,
    file: config ?? usual,
    ...(embedded ? { embedded: embeddedFlags(root) } : {}),
  });
  if (loaded.rest.length > 0) throw errors.invalidFlags(loaded.rest.map(notFlag));
  if (printConfig) return print(configText(loaded));
  const { runDaemon } = await import('../services/daemon/run.ts');
  await runDaemon(loaded, embedded ? root : undefined);
}

/** Throws OutputFailed, but not when the reader of a pipe has ended. */
async function print(text: string): Promise<void> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) =>
    process.stdout.write(text, resolve),
  );
  if (error && error.code !== 'EPIPE') throw errors.outputFailed(error.code ?? error.message);
}

/** A word without -- can be a part of a secret with a space in it, and so can what follows a =. */
function notFlag(word: string): string {
  const [name = 'a word'] = /^(?:--[\w.-]+|-\w)(?==|$)/.exec(word) ?? [];
  return `${name} is not a flag, nor the value of one; quote values with spaces (command line)`;
}

// Each write reports its own failure; the daemon continues without standard output.
process.stdout.on('error', () => {});
process.stderr.on('error', () => {});
try {
  await main(process.argv.slice(2));
} catch (thrown) {
  const { message, hint, kind } = asError(thrown);
  const lines = printableLines(message)
    .split('\n')
    .map((line) => `blockstored: ${line}\n`);
  process.stderr.write(`${lines.join('')}${hint === undefined ? '' : `  ${printable(hint)}\n`}`);
  process.exitCode = exitCodes[kind];
}
setTimeout(() => process.exit(), 1000).unref(); // for the case that what is still to be written has no reader
