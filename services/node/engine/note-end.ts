import { type Hash, UnreadableError } from '../../../lib/models/hash.ts';
import { type Transition, type TransitionName, transitions } from '../../../lib/models/transitions.ts';
import { type EditOptions, statusesAfter } from '../../../lib/models/volume-edit.ts';
import { type VolumeState, parseVolume } from '../../../lib/models/volume-state.ts';
import type { Edit, Outcome } from '../../../lib/redis/scripts.ts';
import { isInUse } from './migration-in-use.ts';
import type { RunnerOptions } from './operation-runner.ts';

/** What a node remembers of its volumes. */
type Tables = Pick<RunnerOptions, 'table' | 'addresses' | 'former' | 'lease' | 'log'>;

/** Notes how an operation has ended, as the answer to its last change set says. */
export function noteEnd(
  tables: Tables,
  { volume, name, more, edit }: { volume: VolumeState; name: TransitionName; more: EditOptions; edit: Edit },
  outcome: Outcome,
): void {
  const { table, former, log } = tables;
  const { endsExport, leaves, endsMigration }: Transition = transitions[name];
  const mayHaveLeft = leaves === true || endsMigration === true;
  if (outcome.word !== 'ok') {
    // The answer to an earlier attempt was lost, or Redis has lost the task: then the audit compares record and storage.
    log.debug(`${name} of volume ${volume.id} no longer applies`, { outcome: outcome.word });
  }
  if (edit.remove && (outcome.word === 'ok' || outcome.word === 'absent')) {
    if (endsExport) dropVolume(tables, volume.id);
    else table.drop(volume.id);
  } else if (outcome.word === 'ok' && leaves) {
    if (isInUse(volume)) lendAddress(tables, volume);
    else dropVolume(tables, volume.id);
    former.note(volume);
  } else if (outcome.word === 'ok') {
    table.note({ ...volume, ...statusesAfter(volume, name, more) });
    if (name === 'failLeaving') table.taken.add(volume.id); // it follows its label, once it can
  } else if (outcome.word === 'changed' && outcome.edit === 0) {
    const { node, backend } = outcome.record;
    // The answer to an earlier attempt was lost.
    if (mayHaveLeft && (node !== volume.node || backend !== volume.backend)) former.note(volume);
    noteChanged(tables, volume, { record: outcome.record, endsExport: endsExport === true || mayHaveLeft });
  }
}

/** The volume is no longer this node's. */
export function dropVolume({ table, addresses }: Tables, id: string): void {
  table.drop(id);
  addresses.pool.release(id);
}

/** Nor its address, if that is one of this node, which hosts use on. */
function lendAddress({ table, addresses }: Tables, volume: VolumeState): void {
  table.drop(volume.id);
  if (volume.lender === '') addresses.pool.lend(volume.id, volume.address);
  else addresses.pool.release(volume.id);
}

/** The record is not the one that the operation began with: another task has it, or after a deletion another volume has its id. */
function noteChanged(
  tables: Tables,
  { id, address }: VolumeState,
  { record, endsExport }: { record: Hash; endsExport: boolean },
): void {
  const { lease, table, log } = tables;
  try {
    const now = parseVolume(id, record);
    // While an export can run, the volume keeps its address.
    if (now.lender === lease.node && now.address === address) lendAddress(tables, { ...now, lender: '' });
    else if (endsExport && (now.node !== lease.node || now.address !== address)) dropVolume(tables, id);
    if (now.node === lease.node) table.note(now);
  } catch (error) {
    if (!(error instanceof UnreadableError)) throw error;
    // Only noted: a comparison of all records reports it as a problem.
    log.debug(`the record of volume ${id} cannot be read`, { reason: error.message });
  }
}
