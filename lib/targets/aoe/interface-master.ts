import { realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { isVrf } from '../../aoe/interface-flags.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import { isAbsent, readIfExistsSync } from '../../files.ts';

/**
 * Returns the error of an interface that is a port of another one: of a bridge or Open vSwitch, which takes its frames, or of a bond or
 * team, where frames of hosts can come in by another port. A VRF leaves the frames to its members.
 */
export function masterErrorOf(name: string, directory = '/sys/class/net'): BlockstoreError | undefined {
  const read = (file: string) => readIfExistsSync(join(directory, name, file))?.trim();
  if (read('brport/state') !== undefined) {
    return errors.interfaceDown(name, 'is a port of a bridge, which takes its frames');
  }
  const master = nameOf(join(directory, name, 'master'));
  return master === undefined || isVrf(read('master/flags')) ? undefined : errors.interfaceIsPort(name, master);
}

/** Returns the name of the interface that a link in /sys leads to. */
function nameOf(link: string): string | undefined {
  try {
    return basename(realpathSync(link));
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
}
