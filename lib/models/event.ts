import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { parseFault } from './fault.ts';

/** A task of a volume that began or ended, or another change. Kept in a stream of the last 10,000, by the script `commit`. */
export interface ClusterEvent {
  /** Of the stream: a later event has a larger one. */
  id: string;
  /** Milliseconds since the epoch. */
  time: number;
  /** `volume.<task>.start`, `.end` or `.error`; otherwise what changed, such as `type.create`. */
  event: string;
  /** '' where it is of something else. */
  volume: string;
  /** The id of what is no volume; '' = none. */
  object: string;
  /** Of the task: the same at its beginning and its end. */
  key: string;
  name: string;
  node: string;
  projectId: string;
  /** The owner of the volume. */
  userId: string;
  /** Who asked for it, as `user@host`; '' at the end, and where that is not known. */
  by: string;
  /** The attachment, snapshot, image or backup that it is about; '' = none. */
  attachment: string;
  snapshot: string;
  image: string;
  backup: string;
  /** What the data of the volume are replaced by, see writeSource(); '' = nothing. */
  restoreFrom: string;
  /** How long it took; undefined at its beginning. */
  durationMs: number | undefined;
  fault: Fault | undefined;
}

const text = z.string().default('');
const schema = z.object({
  event: z.string(),
  volume: text,
  object: text,
  key: text,
  name: text,
  node: text,
  projectId: text,
  userId: text,
  by: text,
  attachment: text,
  snapshot: text,
  image: text,
  backup: text,
  restoreFrom: text,
  ms: z.coerce.number().optional(),
  fault: z.string().optional(),
});

/** `message` is the text in the stream. Undefined where it is no event. */
export function parseEvent(id: string, message: string): ClusterEvent | undefined {
  try {
    const { ms, fault, ...fields } = schema.parse(JSON.parse(message));
    return {
      id,
      time: Number(id.split('-')[0]),
      ...fields,
      durationMs: ms,
      fault: fault === undefined ? undefined : parseFault(fault),
    };
  } catch {
    return undefined;
  }
}
