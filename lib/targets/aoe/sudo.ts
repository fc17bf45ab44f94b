import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import { namingPackage, prerequisiteFailure } from './failures.ts';

/** No interface name contains a slash, so vblade opens its socket, fails to find the interface and ends. */
const noInterface = 'no/interface';

const probeMs = 10_000;

/**
 * Runs vblade without an export: returns false when it can open raw sockets directly (as root, or with a capability of the
 * daemon or the file), true when it needs sudo. Throws CommandNotFound, NoRawSocket.
 */
export async function needsSudo(networkInterface: string, processes: Processes): Promise<boolean> {
  const failure = await probe(false, networkInterface, processes);
  if (failure === undefined) return false;
  if (failure.code !== 'NoRawSocket' || process.getuid?.() === 0) throw failure;
  if ((await probe(true, networkInterface, processes)) === undefined) return true;
  throw failure;
}

async function probe(asRoot: boolean, networkInterface: string, processes: Processes) {
  try {
    await processes.run('vblade', ['-r', '0', '0', noInterface, '/proc/self/exe'], { asRoot, timeoutMs: probeMs });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.notFound) return errors.commandMissing('vblade', 'vblade');
    if (error.failure.stderr.includes(`${noInterface}: No such device`)) return undefined;
    const named = prerequisiteFailure(networkInterface, error.failure.stderr);
    if (named) return named;
    throw namingPackage(error, 'vblade', 'vblade');
  }
  throw errors.answerUnreadable('vblade', 'success on an interface that cannot exist');
}
