import { z } from 'zod';
import { type Hash, UnreadableError } from './hash.ts';
import { isId } from './id.ts';

/** What gets the data of a snapshot. */
export const jobKinds = ['backup', 'upload'] as const;
export type JobKind = (typeof jobKinds)[number];

/** The record of a job: a node reads a snapshot for long, beside the tasks of its volume. It is there until the job has ended. */
export interface JobState {
  id: string;
  kind: JobKind;
  /** The ids of the snapshot, and of the volume that it is of. */
  snapshot: string;
  volume: string;
  node: string;
  /** The id of the backup or image. */
  target: string;
  /** In percent. */
  progress: number | undefined;
  /** Who asked for it, as `user@host`. */
  requestedBy: string;
}

const schema = z.object({
  kind: z.enum(jobKinds),
  snapshot: z.string().refine(isId),
  volume: z.string().refine(isId),
  node: z.string().min(1),
  target: z.string().refine(isId),
});

/** Throws UnreadableError for a record that this version cannot read. */
export function parseJob(id: string, hash: Hash): JobState {
  if (!isId(id)) throw new UnreadableError('has an id that is no UUID');
  const { data, error } = schema.safeParse(hash);
  if (!data) throw new UnreadableError(`has no usable ${error.issues.map(({ path }) => path.join('.')).join(', ')}`);
  const progress = /^\d{1,3}$/.test(hash['progress'] ?? '') ? Number(hash['progress']) : undefined;
  return { ...data, id, progress, requestedBy: hash['by'] ?? '' };
}
