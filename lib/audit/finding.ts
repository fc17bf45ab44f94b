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

/** A difference within Redis. */
export function inRedis(object: string, what: string, fix: string, fixed: boolean): Finding {
  return { node: '', object, what, fix, fixed: fixed && fix !== '' };
}

export const auditRequestSchema = z.object({
  repair: z.boolean(),
  /** Only storage without a record gets one again; all else is left alone. */
  recordsOnly: z.boolean().optional(),
  /** Ids of volumes without a record here whose storage is to be removed. */
  remove: z.array(idSchema),
});
export type AuditRequest = z.infer<typeof auditRequestSchema>;

/** What an audit could not compare, although nothing was under way, and why. */
const notComparedSchema = z.object({ object: z.string(), reason: z.string() });
export type NotCompared = z.infer<typeof notComparedSchema>;

/** What an audit of a node found, the volumes that it did not examine because something was under way, and what it could not compare. */
export const auditResultSchema = z.object({
  findings: z.array(findingSchema),
  notExamined: z.array(z.string()),
  notCompared: z.array(notComparedSchema).default([]),
});
export type AuditResult = z.infer<typeof auditResultSchema>;
