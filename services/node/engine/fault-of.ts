import type { BlockstoreError, Fault } from '../../../lib/errors.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';

/**
 * Returns the error as the record and the requester get it, who may be on another machine: an error that names neither the volume nor
 * the node, such as that of an interface, is about the node.
 */
export function faultOf(error: BlockstoreError, { id, node }: VolumeState, step?: string): Fault {
  const fault = error.toFault(step);
  const isNamed = [id, node].some((name) => fault.message.includes(name));
  return isNamed ? fault : { ...fault, message: `node ${node}: ${fault.message}` };
}
