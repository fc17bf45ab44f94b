import { stat } from 'node:fs/promises';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { secretsOf } from '../../lib/flags/print.ts';
import { redirectForeignOutput } from '../../lib/foreign-output.ts';
import { ignoresHangup } from '../../lib/hangup.ts';
import type { Log, LogFormat } from '../../lib/log.ts';
import { createLog } from '../../lib/log-writer.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { nodeNameHere } from '../../lib/node-identity.ts';
import type { Service } from '../../lib/service.ts';
import { version } from '../../lib/version.ts';
import { makeBackends } from './make-backends.ts';
import { Daemon } from './daemon.ts';
import { embeddedDirectory, exportIfPossible, redisSocket, firstSteps, writeEmbeddedConfig } from './embedded.ts';
import { PrivateRedis } from './private-redis.ts';

/** SIGHUP: the terminal of `npm start` was closed. */
const stopSignals: NodeJS.Signals[] = ['SIGINT', 'SIGTERM'];
/** At which other daemons reopen their log. Without a handler the first opens a debugger of Node.js, the second ends the daemon. */
const ignoredSignals: NodeJS.Signals[] = ['SIGUSR1', 'SIGUSR2'];
(ignoresHangup ? ignoredSignals : stopSignals).push('SIGHUP');
const forcedExitCode = 130;
const exitCodeOfDefect = 1;

/**
 * Runs the daemon until a signal, or until it loses the lease of the node's name. The first SIGINT, SIGTERM or SIGHUP stops it
 * in order, a second one at once. Throws the error that prevented the start or ended the run.
 */
export async function runDaemon(loaded: LoadedFlags, embeddedRoot?: string): Promise<void> {
  const { flags } = loaded;
  // Also for children: LVM makes directories below /dev, which vblade must be able to search, and nobody else to change.
  process.umask(0o022);
  const log = createLog({ level: flags.log_level, format: await logFormat(flags), secrets: secretsOf(loaded) });
  redirectForeignOutput(log);
  const ending = Promise.withResolvers<BlockstoreError | undefined>();
  const removeSignalHandlers = onSignals(log, () => ending.resolve(undefined));
  process.on('uncaughtException', (error) => void endAfter(error, log));
  try {
    await run({ ...loaded, flags: await keepNodeName(loaded, log) }, log, ending, embeddedRoot);
  } finally {
    removeSignalHandlers();
    await log.close();
  }
}

async function run(
  loaded: LoadedFlags,
  log: Log,
  ending: PromiseWithResolvers<BlockstoreError | undefined>,
  embeddedRoot: string | undefined,
): Promise<void> {
  const { flags, backends } = loaded;
  const processes = new ChildProcesses();
  const plain = await makeBackends(backends, { processes, log });
  const daemon = new Daemon({
    flags,
    processes,
    log,
    backends: embeddedRoot === undefined ? plain : await exportIfPossible(plain, log),
    first:
      embeddedRoot === undefined ? [] : [privateRedis(embeddedRoot, processes), configuration(embeddedRoot, loaded)],
    isApiOptional: loaded.origins.api_listen === 'embedded default',
    onFenced: ending.resolve,
  });

  await daemon.start();
  log.info(`blockstored ${version} is ready: node ${flags.storage_name}`);
  if (embeddedRoot !== undefined) process.stdout.write(firstSteps);
  const reason = await ending.promise;
  try {
    await daemon.stop();
  } catch (error) {
    if (!reason) throw error;
    log.warn(`some services did not stop cleanly: ${asError(error).message}`);
  }
  if (reason) throw reason;
  log.info('blockstored has stopped; exports continue');
}

/** A node whose host got another name continues under the name of its state directory, unless storage_name is set. */
async function keepNodeName({ flags, origins }: LoadedFlags, log: Log): Promise<Flags> {
  const node = await nodeNameHere({ flags, origins });
  if (node === flags.storage_name) return flags;
  log.warn(`this host is named ${flags.storage_name} now; the daemon continues as node ${node}`, {
    hint: `set storage_name = ${node}`,
  });
  return { ...flags, storage_name: node };
}

function privateRedis(root: string, processes: ChildProcesses): PrivateRedis {
  const directory = embeddedDirectory(root);
  return new PrivateRedis({ processes, directory: `${directory}/redis`, socket: redisSocket(directory) });
}

/** Behind the lock of the state directory: that of a daemon that runs here already is not replaced. */
function configuration(root: string, loaded: LoadedFlags): Service {
  return { name: 'configuration', start: () => writeEmbeddedConfig(root, loaded), stop: async () => {} };
}

/** A defect: the next start continues. Not by Node.js, which prints all properties of an error, also commands with secrets. */
async function endAfter(error: Error, log: Log & { close(): Promise<void> }): Promise<void> {
  log.error(`internal error: ${error.message}`, { stack: error.stack });
  await log.close();
  process.exit(exitCodeOfDefect);
}

/**
 * Installs signal handlers and returns a function that removes them. `on`, not `once`: a handler that removed itself would
 * let the next signal end the process while children run.
 */
function onSignals(log: Log, stop: () => void): () => void {
  let isStopping = false;
  const onSignal = (signal: NodeJS.Signals) => {
    if (isStopping) process.exit(forcedExitCode);
    isStopping = true;
    log.info(`${signal}: stopping; a second signal stops at once`);
    stop();
  };
  const onIgnored = (signal: NodeJS.Signals) => log.warn(`${signal} has no effect; to stop: SIGTERM`);
  for (const name of stopSignals) process.on(name, onSignal);
  for (const name of ignoredSignals) process.on(name, onIgnored);
  return () => {
    for (const name of stopSignals) process.off(name, onSignal);
    for (const name of ignoredSignals) process.off(name, onIgnored);
  };
}

/** JOURNAL_STREAM names the stream of whoever set it, which can be an ancestor whose standard error was redirected since. */
async function logFormat(flags: Flags): Promise<LogFormat> {
  if (flags.log_format !== 'auto') return flags.log_format;
  if (process.stderr.isTTY) return 'human';
  const { dev, ino } = await stat('/proc/self/fd/2');
  return process.env['JOURNAL_STREAM'] === `${dev}:${ino}` ? 'journald' : 'json';
}
