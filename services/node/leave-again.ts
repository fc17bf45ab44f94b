import { topicOf } from '../../lib/client/message.ts';
import type { Labels } from '../../lib/drivers/driver.ts';
import { type BlockstoreError, type Fault, errors } from '../../lib/errors.ts';
import { backendsOf } from '../../lib/models/backend.ts';
import { editOf, endedWith, isAllowed } from '../../lib/models/volume-edit.ts';
import type { VolumeState } from '../../lib/models/volume-state.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import { commit } from '../../lib/redis/scripts.ts';
import { redisTime } from '../../lib/redis/redis-time.ts';
import type { AdoptionOptions } from './adopter.ts';
import { isInUse } from './engine/migration-in-use.ts';
import { formerEdit } from './former.ts';
import { fieldsAtPlace } from './new-place.ts';
import { movedLabel } from './specs.ts';

/**
 * The storage of a volume is what it has left with a migration, which Redis has lost: its record follows. Throws StorageMissing while that
 * says that it is attached, unless its hosts have it at the same address there, or where its destination is not known.
 */
export async function leaveAgain(
  { store, lease, table, addresses, former, log, topic }: AdoptionOptions,
  volume: VolumeState,
  labels: Labels,
  markMissing: (fault: Fault) => Promise<void>,
): Promise<void> {
  const { id, fault } = volume;
  const { [movedLabel]: place = '', address = '' } = labels;
  const [destination] = (await backendsOf(store).readAll([place])).states;
  const refuse = async (error: BlockstoreError) => {
    if (fault?.message !== error.message && isAllowed('markMissing', volume)) await markMissing(error.toFault());
    throw error;
  };
  const isReached = !isInUse(volume) || (address !== '' && address === volume.address);
  if (!destination || !isReached || !isAllowed('leaveAgain', volume)) {
    return refuse(errors.storageLeft(id, place));
  }
  const { node, name: backend, availabilityZone } = destination;
  const { set, unset } = fieldsAtPlace(volume, { node, backend, availabilityZone });
  const outcome = await commit(store, {
    owner: lease.token,
    conditions: [{ is: 'notLost', node }],
    edits: [
      editOf(volume, 'leaveAgain', { set, unset, task: { copied: await redisTime(store) } }),
      ...endedWith(volume, 'leaveAgain'),
      formerEdit(volume),
    ],
    commands: [{ topic: topicOf(topic, node), message: JSON.stringify({ volume: id }) }],
  });
  if (outcome.word === 'Fenced') throw errors.fenced(lease.node);
  // In error it has been left for that node, and it is tried again.
  if (outcome.word === 'condition') return refuse(errors.nodeLost(node));
  if (outcome.word !== 'ok') throw errors.wrongStatus(id, volume.status, 'no other change at the same time');
  if (node === lease.node) {
    const now = await volumesOf(store).find(id);
    if (now) table.note(now); // its hosts keep their export
  } else {
    table.drop(id);
    if (isInUse(volume) && volume.lender === '') addresses.pool.lend(id, volume.address);
    else addresses.pool.release(id);
  }
  former.note(volume);
  log.info(`volume ${id} is on ${place}, to which it was migrated: Redis had lost that`);
}
