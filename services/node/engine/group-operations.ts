import { errors } from '../../../lib/errors.ts';
import type { SnapshotSpec, Snapshots } from '../../../lib/drivers/snapshots.ts';
import type { SnapshotState, SnapshotStatus } from '../../../lib/models/snapshot-state.ts';
import type { GroupTaskKind } from '../../../lib/models/task.ts';
import type { TransitionName } from '../../../lib/models/transitions.ts';
import type { VolumeState } from '../../../lib/models/volume-state.ts';
import type { Backend } from '../backends.ts';
import { groupLabel, snapshotSpec, volumeSpec } from '../specs.ts';
import { refuseOtherData } from './restore-steps.ts';

/** A volume, and its snapshot that the operation is about. */
export interface GroupMember {
  volume: VolumeState;
  snapshot: SnapshotState;
}

export interface GroupContext {
  backend: Backend;
  members: readonly GroupMember[];
  /** Whether an earlier run may have done part of it. */
  isResumed: boolean;
  /** Before a destructive step: the records still ask for it, of this node. Throws Fenced, TaskLost. */
  checkTask: () => Promise<void>;
  /** Before what was made is removed again. Throws Fenced. */
  checkLease: () => Promise<void>;
  signal: AbortSignal;
}

/** What a node does to several volumes at once: all of it, or nothing, with one transition of all of them at the end. */
export interface GroupOperation {
  name: GroupTaskKind;
  run(context: GroupContext): Promise<void>;
  /** Gives back what it took when it has failed for good. */
  undo?(context: GroupContext): Promise<void>;
  /** Whether it requires every member: one that is lost fails it. */
  needsAll: boolean;
  finish: TransitionName;
  fail: TransitionName;
  /** The status at either end, of the group snapshot and its snapshots; `removed`: they have no records any more. */
  becomes: { finish: SnapshotStatus | 'removed'; fail: SnapshotStatus };
}

/** Throws NotCapable. */
function verbsOf({ backend: { driver }, members }: GroupContext): Snapshots {
  if (driver.snapshots) return driver.snapshots;
  throw errors.notCapable(members[0]?.volume.id ?? '', driver.name, 'groupSnapshots');
}

function specsOf({ members }: GroupContext): SnapshotSpec[] {
  return members.map(({ volume, snapshot }) => snapshotSpec(volume, snapshot));
}

/** The label of the group comes last: snapshots that all have it are certainly of one moment. */
function withoutGroup(spec: SnapshotSpec): SnapshotSpec {
  const { [groupLabel]: _, ...labels } = spec.labels;
  return { ...spec, labels };
}

async function areAllThere(verbs: Snapshots, specs: readonly SnapshotSpec[]): Promise<boolean> {
  const found = new Map((await verbs.listSnapshots()).map((one) => [one.id, one]));
  return specs.every(({ id, labels }) => {
    const stored = found.get(id);
    const ofGroup = stored?.labels[groupLabel];
    return ofGroup !== undefined && ofGroup === labels[groupLabel] && stored?.unusable === undefined;
  });
}

const take: GroupOperation = {
  name: 'group-snapshot',
  run: async (context) => {
    const { backend, members, isResumed, signal } = context;
    const verbs = verbsOf(context);
    const specs = specsOf(context);
    if (isResumed && (await areAllThere(verbs, specs))) return;
    if (!verbs.createSnapshots) {
      throw errors.notCapable(members[0]?.volume.id ?? '', backend.driver.name, 'groupSnapshots');
    }
    for (const { volume } of members) {
      if (isResumed) await refuseOtherData({ volume, backend });
      await backend.driver.ensureVolume(volumeSpec(volume));
    }
    await verbs.createSnapshots(specs.map(withoutGroup), { signal });
    for (const spec of specs) await verbs.labelSnapshot(spec);
  },
  undo: async (context) => {
    const verbs = verbsOf(context);
    await context.checkLease();
    for (const spec of specsOf(context)) await verbs.deleteSnapshot(spec, { signal: context.signal, unused: true });
  },
  needsAll: true,
  finish: 'finishGroupSnapshot',
  fail: 'failGroupSnapshot',
  becomes: { finish: 'available', fail: 'error' },
};

const remove: GroupOperation = {
  name: 'delete-group-snapshot',
  run: async (context) => {
    const verbs = verbsOf(context);
    await context.checkTask();
    for (const spec of specsOf(context)) await verbs.deleteSnapshot(spec, { signal: context.signal });
  },
  needsAll: false,
  finish: 'finishDeleteGroupSnapshot',
  fail: 'failDeleteGroupSnapshot',
  becomes: { finish: 'removed', fail: 'error_deleting' },
};

/** Every operation on several volumes, by the task that asks for it. */
export const groupOperations: Readonly<Record<GroupTaskKind, GroupOperation>> = {
  'group-snapshot': take,
  'delete-group-snapshot': remove,
};
