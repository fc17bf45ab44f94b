import { connect } from 'node:net';

const waitMs = 500;

/**
 * Returns the error with which a Redis greets a connection that it ends at once, such as one in protected mode; '' for none. The library
 * takes it for the answer to its own first command.
 */
export async function greetingOf(where: { host: string; port: number } | { path: string }): Promise<string> {
  if ('port' in where && where.port === 0) return ''; // of Sentinels or a Cluster
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect(where);
  socket.setTimeout(waitMs, () => resolve(''));
  // Advice for whoever configures Redis follows, in several hundred characters.
  socket.once('data', (chunk) => resolve(/^-(.*?)(?: If you want .*)?\r?\n/.exec(chunk.toString())?.[1] ?? ''));
  socket.once('error', () => resolve('')); // that of the connection before it is reported
  socket.once('close', () => resolve(''));
  const greeting = await promise;
  socket.destroy();
  return greeting;
}
