import { CommandError } from '../../command-error.ts';
import { type BlockstoreError, errors } from '../../errors.ts';

/** What vblade (or the launcher in its place) wrote before it ended, as the error that an operator must see. */
export function vbladeFailure(id: string, networkInterface: string, output: string): BlockstoreError {
  if (output.includes('open: Invalid argument')) {
    return errors.exportFailed(
      id,
      'its file system has no direct I/O (O_DIRECT)',
      'set aoe_durability = cached, or use another file system',
    );
  }
  return prerequisiteFailure(networkInterface, output) ?? errors.exportFailed(id, lastLine(output));
}

/** The error when the output names a prerequisite that is missing on this node, whatever the volume. */
export function prerequisiteFailure(networkInterface: string, output: string): BlockstoreError | undefined {
  if (output.includes('failed to execute vblade')) return errors.commandMissing('vblade', 'vblade');
  if (/got bad socket: (Operation not permitted|Permission denied)/.test(output)) {
    return errors.noRawSocket(networkInterface);
  }
  if (output.includes(`${networkInterface}: No such device`)) {
    return errors.interfaceDown(networkInterface, 'does not exist');
  }
  if (output.includes('Network is down')) return errors.interfaceDown(networkInterface, 'is down');
  return undefined;
}

/** A failed command with the package that an installed one would have come from; anything else as it is. */
export function namingPackage(error: unknown, command: string, debianPackage: string): unknown {
  const missing = error instanceof CommandError && error.failure.notFound;
  return missing ? errors.commandMissing(command, debianPackage) : error;
}

function lastLine(output: string): string {
  return output.trim().split('\n').at(-1)?.trim() || 'vblade ended without a word';
}
