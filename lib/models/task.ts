import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import { UnreadableError } from './hash.ts';

/** What a node does to a volume. */
export const taskKinds = [
  'create',
  'delete',
  'attach',
  'detach',
  'extend',
  'snapshot',
  'delete-snapshot',
  'upload',
  'relabel',
  'rename',
  'migrate',
  'backup',
  'restore',
  'group-snapshot',
  'delete-group-snapshot',
] as const;
export type TaskKind = (typeof taskKinds)[number];
/** Those about a snapshot of the volume. */
export type SnapshotTaskKind = 'snapshot' | 'delete-snapshot';
/** Those that all volumes of a group have at once. */
const groupTaskKinds = ['group-snapshot', 'delete-group-snapshot'] as const;
export type GroupTaskKind = (typeof groupTaskKinds)[number];
export type VolumeTaskKind = Exclude<TaskKind, SnapshotTaskKind | GroupTaskKind | 'upload' | 'backup'>;

const taskSchema = z.object({
  kind: z.enum(taskKinds),
  /** Random: tells a task from an earlier one of the same kind. */
  key: z.string(),
  /** The requester named the node, or a backend of it: the volume is placed nowhere else. */
  pinned: z.literal(true).optional(),
  /** It named no backend: another one of that node may take the volume. */
  onNode: z.literal(true).optional(),
  /** The host that attaches has removed what it had at the recorded address: the volume must have that address still. */
  examined: z.literal(true).optional(),
  /** Backends that handed the volume back, as `node@backend`. */
  tried: z.array(z.string()).optional(),
  /** Of a migration whose data are at the destination, which has the volume now: when it began. */
  copied: z.number().optional(),
});

/** What is under way for a volume, with its arguments: as it stands in the record, from its start to its end. */
export interface Task {
  kind: TaskKind;
  key: string;
  pinned?: true | undefined;
  onNode?: true | undefined;
  examined?: true | undefined;
  tried?: readonly string[] | undefined;
  copied?: number | undefined;
}

export function isGroupTask(kind: TaskKind | undefined): kind is GroupTaskKind {
  return groupTaskKinds.some((one) => one === kind);
}

/** Whether a task goes on while Redis has no memory left: it gives some back. */
export function freesMemory(kind: TaskKind | undefined): boolean {
  return kind === 'delete' || kind === 'detach' || kind === 'delete-snapshot' || kind === 'delete-group-snapshot';
}

/** Returns a new key; short, as a value of more than 64 bytes has Redis keep the record in a form that takes twice the memory. */
export function taskKey(): string {
  return randomUUID().slice(0, 8);
}

export function writeTask(task: Task): string {
  return JSON.stringify(task);
}

/** Throws UnreadableError. */
export function parseTask(text: string): Task {
  try {
    return taskSchema.parse(JSON.parse(text));
  } catch {
    throw new UnreadableError(`has a task that this version does not know: ${text.slice(0, 100)}`);
  }
}
