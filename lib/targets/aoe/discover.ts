import { fileURLToPath } from 'node:url';
import { CommandError } from '../../command-error.ts';
import { retry } from '../../concurrency.ts';
import { errors } from '../../errors.ts';
import type { Processes } from '../../process.ts';
import type { SeenAddress } from '../target.ts';
import { compareAddresses, formatAddress } from '../../aoe/address.ts';
import { namingPackage } from './failures.ts';

const script = fileURLToPath(new URL('discover.pl', import.meta.url));

export interface DiscoverOptions {
  interface: string;
  /** How long to listen for answers. */
  listenMs: number;
  /** Attempts where the failure is transient. */
  tries: number;
}

/** Exit codes of discover.pl. */
const noInterface = 3;
const notPermitted = 4;

/**
 * Every AoE address that answers on the interface. Not heard are the vblades of this machine on that same interface
 * (loopback excepted) and those whose list of Ethernet addresses does not have ours.
 * Throws InterfaceDown, NoRawSocket, CommandNotFound, CommandFailed, AnswerUnreadable.
 */
export async function discoverTargets(options: DiscoverOptions, processes: Processes): Promise<SeenAddress[]> {
  const args = [script, options.interface, String(options.listenMs)];
  try {
    const run = () => processes.run('perl', args, { asRoot: true, timeoutMs: options.listenMs + 10_000 });
    const { stdout } = await retry(run, { tries: options.tries, isRetryable });
    return parseAnswers(stdout);
  } catch (error) {
    throw discoverFailure(error, options.interface);
  }
}

/**
 * Lines of `shelf slot mac`, sorted by number; a target that answered twice is there once. Throws AnswerUnreadable on any
 * other line, and where the last one is missing: a number that was left out would be taken for free.
 */
export function parseAnswers(output: string): SeenAddress[] {
  const lines = [...new Set(output.split('\n'))].filter((line) => line !== '');
  if (lines.pop() !== 'done') throw errors.answerUnreadable('discover.pl', output);
  const seen = lines.map((line) => {
    const [, shelf, slot, host] = /^(\d{1,5}) (\d{1,3}) ((?:[0-9a-f]{2}:){5}[0-9a-f]{2})$/.exec(line) ?? [];
    if (shelf === undefined || slot === undefined || host === undefined) {
      throw errors.answerUnreadable('discover.pl', line);
    }
    return { address: formatAddress({ shelf: Number(shelf), slot: Number(slot) }), host };
  });
  return seen.toSorted((one, other) => compareAddresses(one.address, other.address));
}

function isRetryable(error: unknown): boolean {
  if (!(error instanceof CommandError) || !error.isRetryable) return false;
  return ![noInterface, notPermitted].includes(error.failure.exitCode ?? 0);
}

function discoverFailure(error: unknown, networkInterface: string): unknown {
  if (!(error instanceof CommandError)) return error;
  if (error.failure.exitCode === noInterface) return errors.interfaceDown(networkInterface, 'does not exist');
  if (error.failure.exitCode === notPermitted) return errors.noRawSocket(networkInterface);
  if (error.failure.stderr.includes('Network is down')) return errors.interfaceDown(networkInterface, 'is down');
  return namingPackage(error, 'perl', 'perl-base');
}
