import { RequestClient } from '../../lib/client/request-client.ts';
import { SnapshotCommands } from '../../lib/client/snapshot-commands.ts';
import { pollUntil } from '../../lib/concurrency.ts';
import { asError, errors, fromFault } from '../../lib/errors.ts';
import type { JobState } from '../../lib/models/job-state.ts';
import type { SnapshotState } from '../../lib/models/snapshot-state.ts';
import { snapshotsOf } from '../../lib/models/snapshot.ts';
import type { TransitionName } from '../../lib/models/transitions.ts';
import { isAllowed } from '../../lib/models/volume-edit.ts';
import { volumesOf } from '../../lib/models/volume.ts';
import type { Store } from '../../lib/redis/store.ts';

/** How long one try waits; it holds up another job. */
const patience = { deadlineMs: 5000, intervalMs: 100 };

/** Something else is under way for the volume or the snapshot, or Redis is away. */
const passing: ReadonlySet<string> = new Set(['RedisUnreachable', 'NotReplicated', 'SnapshotIsCopied']);

type Job = Pick<JobState, 'kind' | 'volume' | 'ownSnapshot' | 'userId' | 'projectId'>;

/** Snapshots that are there for one job alone. Each request can be repeated; the records say how it has ended. */
export class OwnSnapshots {
  private readonly store: Store;
  private readonly commands: SnapshotCommands;

  constructor(store: Store, topic: string) {
    this.store = store;
    this.commands = new SnapshotCommands(store, new RequestClient(store), topic);
  }

  /** Returns whether it is there; if not, it is to be tried again. Throws what keeps it from being taken. */
  async take({ kind, volume, ownSnapshot: id, userId, projectId }: Job): Promise<boolean> {
    const request = { id, name: `${kind}-of-${volume}`, userId, projectId, force: true };
    return this.tried('startSnapshot', volume, async () => {
      await this.commands.create(volume, request);
      const found = await this.settled(id);
      if (found?.fault) throw fromFault(found.fault);
      if (!found) throw errors.changeLost(volume, 'snapshot', 'without it');
      return found.status === 'available';
    });
  }

  /** Returns whether it is gone; if not, it is to be tried again. Throws what keeps it from being deleted. */
  async remove({ volume, ownSnapshot: id }: Job): Promise<boolean> {
    if (!(await this.find(id))) return true;
    return this.tried('startDeleteSnapshot', volume, async () => {
      await this.commands.delete(id).catch((error: unknown) => {
        if (asError(error).code !== 'SnapshotNotFound') throw error;
      });
      const found = await this.settled(id);
      if (found?.status === 'error_deleting' && found.fault) throw fromFault(found.fault);
      return found === undefined;
    });
  }

  private find(id: string): Promise<SnapshotState | undefined> {
    return snapshotsOf(this.store).find(id);
  }

  /** Returns the record once nothing is under way for it, or when the time is over. */
  private async settled(id: string): Promise<SnapshotState | undefined> {
    let found = await this.find(id);
    const isSettled = async () => {
      found = await this.find(id);
      return found?.status !== 'creating' && found?.status !== 'deleting';
    };
    await pollUntil(isSettled, patience);
    return found;
  }

  private async tried(transition: TransitionName, volumeId: string, request: () => Promise<boolean>): Promise<boolean> {
    try {
      return await request();
    } catch (thrown) {
      const error = asError(thrown);
      if (passing.has(error.code)) return false;
      if (error.code !== 'WrongStatus') throw error;
      // What was under way may have ended meanwhile.
      const volume = await volumesOf(this.store).find(volumeId);
      if (volume && (volume.task || isAllowed(transition, volume))) return false;
      throw error;
    }
  }
}
