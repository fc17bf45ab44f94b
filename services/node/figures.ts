import type { TaskKind } from '../../lib/models/task.ts';
import type { BackendReport } from '../../lib/models/backend.ts';
import { type VolumeState, type VolumeStatus, volumeStatuses } from '../../lib/models/volume-state.ts';
import type { VolumeTable } from './volume-table.ts';

/** Exports of one backend when they were last looked at: those that should run, and those of them that did. */
export interface ExportCount {
  expected: number;
  running: number;
}

/** What a node knows of itself without asking Redis or its storage. */
export interface NodeFigures {
  /** Volumes of the node by status; each status is there. */
  volumes: ReadonlyMap<VolumeStatus, number>;
  /** Operations that are carried out or wait, by kind. */
  operations: ReadonlyMap<TaskKind, number>;
  /** As they were last reported. */
  backends: readonly BackendReport[];
  /** Backends that passed their checks. */
  served: ReadonlySet<string>;
  /** By backend; of those whose volumes can be exported. */
  exports: ReadonlyMap<string, ExportCount>;
  /** By backend; of those whose target watches exports. */
  restarts: ReadonlyMap<string, number>;
  /** Problems in the last report. */
  problems: number;
  /** Since the lease was last renewed; undefined once another daemon has the name of the node. */
  leaseAgeMs: number | undefined;
  /** Whether Redis has lost something, and records and storage have not been compared since. */
  isCatchingUp: boolean;
}

/** Volumes by status. What is under way begins in the records: the table learns of it at the end. */
export function volumesByStatus(table: VolumeTable, underWay: Iterable<VolumeState>): Map<VolumeStatus, number> {
  const counts = new Map(volumeStatuses.map((status) => [status, table.statuses.get(status) ?? 0]));
  const add = (status: VolumeStatus, difference: number) => counts.set(status, (counts.get(status) ?? 0) + difference);
  const seen = new Set<string>();
  for (const { id, status } of underWay) {
    if (seen.has(id)) continue;
    seen.add(id);
    const known = table.get(id);
    if (known) add(known.status, -1);
    add(status, 1);
  }
  return counts;
}

export function operationsByKind(underWay: Iterable<VolumeState>): Map<TaskKind, number> {
  const counts = new Map<TaskKind, number>();
  for (const { task } of underWay) if (task) counts.set(task.kind, (counts.get(task.kind) ?? 0) + 1);
  return counts;
}
