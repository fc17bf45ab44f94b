import { setTimeout as pause } from 'node:timers/promises';
import { errors } from '../errors.ts';
import { relationOf } from './lease-holder.ts';

export interface LeaseOptions {
  node: string;
  /** Who holds the name, as formatHolder() has it: a crashed daemon's next start on the same machine takes it at once. */
  holder: string;
  leaseMs: number;
  /** How long a holder has not renewed the lease when it counts as dead. Default: the whole lease. */
  quietMs?: number;
}

/** What the script answers to an attempt to take a lease. */
export type LeaseAnswer =
  | { word: 'ok'; token: string }
  | {
      word: 'NodeNameTaken';
      holder: string;
      leftMs: number;
      /** How long ago the holder was heard last, by the clock of Redis: its lease may be of another length than ours. */
      quietMs: number;
    };

const pollMs = 250;

/**
 * Takes the lease of a node name. Returns the fencing token. A lease that this machine held before a reboot is taken once its
 * holder has been quiet for `quietMs`; a holder that renews it meanwhile is a clone of this machine.
 * The same holds for one of this machine's present run that locked another file.
 * Throws NodeNameTaken; MachineCloned where the holder has a copy of this daemon's state directory on another machine, StateDirTaken
 * where it has one on this machine, or the directory itself.
 */
export async function takeLease(
  options: LeaseOptions,
  attempt: (holder: string) => Promise<LeaseAnswer>,
): Promise<string> {
  const { node, holder, leaseMs, quietMs = leaseMs } = options;
  let first: { holder: string; quietMs: number } | undefined;
  for (;;) {
    const answer = await attempt(holder);
    if (answer.word === 'ok') return answer.token;
    const relation = relationOf(holder, answer.holder);
    const isRenewed = first !== undefined && (answer.quietMs < first.quietMs || answer.holder !== first.holder);
    if (relation === 'clone' || (relation === 'earlierBoot' && isRenewed)) {
      throw errors.machineCloned(node, answer.holder, holder);
    }
    if (relation === 'otherLock' && isRenewed) throw errors.stateDirCopied(node, answer.holder);
    const isQuiet = answer.quietMs >= quietMs;
    if (relation === 'same' || ((relation === 'earlierBoot' || relation === 'otherLock') && isQuiet)) {
      const taken = await attempt(answer.holder);
      if (taken.word === 'ok') return taken.token;
    }
    if (relation === 'unrelated') throw errors.nodeNameTaken(node, answer.holder, Math.ceil(answer.leftMs / 1000));
    first = answer;
    await pause(pollMs);
  }
}
