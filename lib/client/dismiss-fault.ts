import { editOf, isAllowed, statusesAfter } from '../models/volume-edit.ts';
import type { VolumeState, VolumeStatus } from '../models/volume-state.ts';
import { volumesOf } from '../models/volume.ts';
import { commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { maxChanges } from './start-task.ts';

/** Returns the status that a volume can be given in place of that of a failed operation, which left it as it was; otherwise undefined. */
export function statusWithoutFault(volume: VolumeState): VolumeStatus | undefined {
  return isAllowed('dismissFault', volume) ? statusesAfter(volume, 'dismissFault').status : undefined;
}

/** Gives a volume that status, where it still can have it. Throws VolumeNotFound. */
export async function dismissFault(store: Store, id: string): Promise<void> {
  for (let change = 0; change < maxChanges; change += 1) {
    const volume = await volumesOf(store).lookup(id);
    if (!isAllowed('dismissFault', volume)) return;
    const outcome = await commit(store, { edits: [editOf(volume, 'dismissFault')], event: 'volume.reset' });
    if (outcome.word === 'ok') return;
  }
}
