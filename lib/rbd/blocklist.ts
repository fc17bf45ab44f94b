import { asError, errors } from '../errors.ts';
import type { RbdAnswer, RbdCommands } from './commands.ts';

/**
 * Clients to which a cluster answers no more, by their addresses. Each connection of a process or kernel to the cluster is a client,
 * with an address of its own: a host goes on with its others, and gets a new one by connecting again.
 */

/**
 * Ceph's default is an hour. A machine that stands still, as a paused guest, sends what it has to write when it goes on: that must be
 * refused also after a longer time.
 */
const blockedSeconds = 365 * 24 * 3600;

/** `ceph` takes it for an address, the monitors do not. They check the rights of the user before. */
const noAddress = '[::1.2.3.4]:0/0';

/** Throws CephDenied where the user has no right to it, and what RbdCommands.monitor() throws. */
export async function block(commands: RbdCommands, address: string): Promise<void> {
  await mustRun(commands, ['add', address, String(blockedSeconds)]);
}

/** Whether the user of the node has the right to block clients. Changes nothing. */
export async function mayBlock(commands: RbdCommands): Promise<boolean> {
  try {
    await run(commands, ['add', noAddress, '0']);
    return true;
  } catch (thrown) {
    if (asError(thrown).code === 'CephDenied') return false;
    throw thrown;
  }
}

/** Returns the addresses of the clients that are blocked. */
export async function blockedClients(commands: RbdCommands): Promise<ReadonlySet<string>> {
  // Not as JSON: since Ceph 16.2.11 that is two documents.
  const text = await mustRun(commands, ['ls']);
  return new Set(text.split('\n').map((line) => line.split(' ')[0] ?? ''));
}

async function mustRun(commands: RbdCommands, args: readonly string[]): Promise<string> {
  const answer = await run(commands, args);
  if (answer.failure === undefined) return answer.stdout;
  throw errors.rbdFailed(`ceph osd blocklist ${args.join(' ')}`, answer.reason);
}

/** Before Ceph 16 the command has another name. */
async function run(commands: RbdCommands, args: readonly string[]): Promise<RbdAnswer> {
  const answer = await commands.monitor(['osd', 'blocklist', ...args]);
  const isUnknown = answer.failure === 'invalid' && answer.reason.includes('invalid command');
  return isUnknown ? commands.monitor(['osd', 'blacklist', ...args]) : answer;
}
