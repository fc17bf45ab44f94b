import { z } from 'zod';

/** Something that does not fit together, found by an audit. It travels from node to caller as JSON. */
export const findingSchema = z.object({
  /** The node that found it; '' for what is found in Redis. */
  node: z.string(),
  /** `volume <id>`, `number 3.7`, … */
  object: z.string(),
  what: z.string(),
  /** What a repair does about it; '' when only a person can. */
  mend: z.string(),
  mended: z.boolean(),
  /** Why a repair failed. */
  trouble: z.string().optional(),
});
export type Finding = z.infer<typeof findingSchema>;

/** What is asked of an audit. */
export interface AuditRequest {
  repair: boolean;
  /** Only storage without a record gets one again; all else is left alone. */
  recordsOnly?: boolean;
  /** Ids of volumes without a record here whose storage is to be removed. */
  remove: readonly string[];
}
