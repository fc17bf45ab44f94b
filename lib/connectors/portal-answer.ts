import { once } from 'node:events';
import { connect } from 'node:net';
import { asError } from '../errors.ts';
import { errorCode } from '../files.ts';
import type { Portal } from '../iscsi/address.ts';
import { poll } from './block-device.ts';
import type { WaitOptions } from './connector.ts';

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connection refused',
  EHOSTUNREACH: 'no route to it',
  ENETUNREACH: 'no route to it',
};

/** Until a node that starts just now listens. */
const tryMs = 3000;

/** Returns why a portal accepts no connection within the time limit; undefined where it does. iscsid would try for two minutes without a word. */
export async function silenceOf(portal: Portal, options: WaitOptions): Promise<string | undefined> {
  let silence: string | undefined;
  const answers = await poll(options, async () => {
    silence = await silenceNow(portal, options.signal);
    return silence === undefined;
  });
  return answers ? undefined : (silence ?? '');
}

async function silenceNow({ ip, port }: Portal, signal: AbortSignal | undefined): Promise<string | undefined> {
  const limit = AbortSignal.timeout(tryMs);
  const socket = connect({ host: ip, port });
  try {
    await once(socket, 'connect', { signal: signal ? AbortSignal.any([signal, limit]) : limit });
    return undefined;
  } catch (error) {
    signal?.throwIfAborted();
    if (limit.aborted) return `no connection within ${tryMs / 1000} s`;
    return words[errorCode(error) ?? ''] ?? asError(error).message;
  } finally {
    socket.destroy();
  }
}
