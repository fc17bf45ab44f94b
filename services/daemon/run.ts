import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { secretsOf } from '../../lib/flags/print.ts';
import type { Log, LogFormat } from '../../lib/log.ts';
import { createLog } from '../../lib/log-writer.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { version } from '../../lib/version.ts';
import { makeBackends } from './make-backends.ts';
import { Daemon } from './daemon.ts';
import { embeddedDirectory, exportIfPossible, redisSocket, firstSteps, writeEmbeddedConfig } from './embedded.ts';
import { PrivateRedis } from './private-redis.ts';
import { nodeOf } from './state-directory.ts';

const forcedExitCode = 130;

/**
 * Runs the daemon until a signal, or until it loses the lease of the node's name. The first SIGINT or SIGTERM stops it in
 * order, a second one at once. Throws the error that prevented the start or ended the run.
 */
export async function runDaemon(loaded: LoadedFlags, embeddedRoot?: string): Promise<void> {
  const { flags } = loaded;
  // Also for children: LVM makes directories below /dev, which vblade must be able to search, and nobody else to change.
  process.umask(0o022);
  const log = createLog({ level: flags.log_level, format: logFormat(flags), secrets: secretsOf(flags) });
  // The Redis client: the errors of lib/redis say what it warns of.
  Object.assign(console, { warn: (text: unknown) => log.debug(String(text)) });
  const ending = Promise.withResolvers<BlockstoreError | undefined>();
  const removeSignalHandlers = onSignals(log, () => ending.resolve(undefined));
  try {
    await run({ ...loaded, flags: await keepNodeName(loaded, log) }, log, ending, embeddedRoot);
  } finally {
    removeSignalHandlers();
    await log.close();
  }
}

async function run(
  { flags, backends }: LoadedFlags,
  log: Log,
  ending: PromiseWithResolvers<BlockstoreError | undefined>,
  embeddedRoot: string | undefined,
): Promise<void> {
  const processes = new ChildProcesses();
  const plain = await makeBackends(backends, { processes, log });
  const daemon = new Daemon({
    flags,
    processes,
    log,
    backends: embeddedRoot === undefined ? plain : await exportIfPossible(plain, log),
    first: embeddedRoot === undefined ? [] : [privateRedis(embeddedRoot, processes)],
    onFenced: ending.resolve,
  });

  if (embeddedRoot !== undefined) await writeEmbeddedConfig(embeddedRoot, flags);
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
  if (origins.storage_name !== 'default') return flags;
  const node = (await nodeOf(flags.state_dir)) ?? flags.storage_name;
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
  process.on('SIGINT', onSignal);
  process.on('SIGTERM', onSignal);
  return () => {
    process.off('SIGINT', onSignal);
    process.off('SIGTERM', onSignal);
  };
}

function logFormat(flags: Flags): LogFormat {
  if (flags.log_format !== 'auto') return flags.log_format;
  if (process.stderr.isTTY) return 'human';
  return process.env['JOURNAL_STREAM'] === undefined ? 'json' : 'journald';
}
