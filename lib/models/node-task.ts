import { z } from 'zod';
import { auditRequestSchema } from '../audit/finding.ts';

/** What is asked of a node itself, as it stands in the node's record. */
export const nodeTaskSchema = z.object({
  kind: z.literal('audit'),
  key: z.string(),
  request: auditRequestSchema,
  /** Milliseconds since the epoch, by the clock of Redis: it is not carried out later. */
  deadline: z.number(),
});

export type NodeTask = z.infer<typeof nodeTaskSchema>;

/** Undefined for a task that this version does not know. */
export function parseNodeTask(text: string | undefined): NodeTask | undefined {
  if (text === undefined) return undefined;
  try {
    return nodeTaskSchema.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined;
  }
}
