import { z } from 'zod';
import { idSchema } from '../models/id-schema.ts';

/**
 * A command in a node's topic. It only names the record: of a volume or of the node itself, which has a task, of a volume that the node
 * has taken over, of a migration to the node, or of a job.
 */
export const commandSchema = z.union([
  z.object({ volume: idSchema }),
  z.object({ taken: idSchema }),
  z.object({ migration: idSchema }),
  z.object({ job: idSchema }),
  z.object({ node: z.literal(true) }),
]);

/** The topic of a node's commands. */
export function topicOf(topic: string, node: string): string {
  return `${topic}.${node}`;
}
