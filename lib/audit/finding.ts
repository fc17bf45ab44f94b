import { z } from 'zod';
import { idSchema } from '../models/id-schema.ts';

/** A difference found by an audit. It travels from node to requester as JSON. */
export const findingSchema = z.object({
  /** The node that found it; '' for a difference within Redis. */
  node: z.string(),
  /** `volume <id>`, `address e3.7`, … */
  object: z.string(),
  what: z.string(),
  /** What a repair does about it; '' when only a person can. */
  fix: z.string(),
  fixed: z.boolean(),
  /** Why a repair failed. */
  failure: z.string().optional(),
});
export type Finding = z.infer<typeof findingSchema>;

export const auditRequestSchema = z.object({
  repair: z.boolean(),
  /** Only storage without a record gets one again; all else is left alone. */
  recordsOnly: z.boolean().optional(),
  /** Ids of volumes without a record here whose storage is to be removed. */
  remove: z.array(idSchema),
});
export type AuditRequest = z.infer<typeof auditRequestSchema>;

/** What an audit of a node found, and the volumes that it did not examine because something was under way. */
export const auditResultSchema = z.object({ findings: z.array(findingSchema), notExamined: z.array(z.string()) });
export type AuditResult = z.infer<typeof auditResultSchema>;
