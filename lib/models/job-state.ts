import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';

/** What gets the data of a snapshot. */
export const jobKinds = ['backup', 'upload'] as const;
export type JobKind = (typeof jobKinds)[number];

/** The record of a job: a node reads a snapshot for long, beside the tasks of its volume. It is there until the job has ended. */
export interface JobState {
  id: string;
  kind: JobKind;
  /** The ids of the snapshot that it reads, and of the volume that it is of; '' = it is to be taken yet, or is deleted again. */
  snapshot: string;
  volume: string;
  /** The id of a snapshot that is there for the job alone: its node takes it first, and deletes it at the end; '' = none. */
  ownSnapshot: string;
  /** How the copy has ended, while only that snapshot remains. */
  copied: 'completed' | Fault | undefined;
  node: string;
  /** The id of the backup or image. */
  target: string;
  /** In percent. */
  progress: number | undefined;
  /** The owner of what it reads. */
  userId: string;
  projectId: string;
  /** Who asked for it, as `user@host`. */
  requestedBy: string;
}

const schema = z.object({
  kind: z.enum(jobKinds),
  volume: z.string().refine(isId),
  node: z.string().min(1),
  target: z.string().refine(isId),
});

/** Throws UnreadableError for a record that this version cannot read. */
export function parseJob(id: string, hash: Hash): JobState {
  const { snapshot = '', ownSnapshot = '', copied } = hash;
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  const { data, error } = schema.safeParse(hash);
  if (!data) throw new UnreadableError(`has no usable ${error.issues.map(({ path }) => path.join('.')).join(', ')}`);
  if (!isId(snapshot) && !(snapshot === '' && isId(ownSnapshot))) throw new UnreadableError('has no usable snapshot');
  const progress = /^\d{1,3}$/.test(hash['progress'] ?? '') ? Number(hash['progress']) : undefined;
  return {
    ...data,
    id,
    snapshot,
    ownSnapshot,
    copied: copied === undefined || copied === 'completed' ? copied : parseFault(copied),
    progress,
    userId: hash['userId'] ?? '',
    projectId: hash['projectId'] ?? '',
    requestedBy: hash['by'] ?? '',
  };
}
