import { z } from 'zod';
import { operationNames } from '../models/transitions.ts';

/** A command on a volume, as it stands in a topic. With `caller` and `request` somebody waits for the answer; without, nobody does. */
export const commandSchema = z.object({
  operation: z.enum(operationNames),
  /** The volume. */
  id: z.string(),
  caller: z.string().optional(),
  request: z.string().optional(),
  /** The caller named the node: no other may take it. */
  pinned: z.boolean().optional(),
  /** Nodes that had no room. */
  refused: z.array(z.string()).optional(),
});

export type Command = z.infer<typeof commandSchema>;

/** A command to a node itself, in its own topic. */
export const nodeCommandSchema = z.object({
  operation: z.literal('audit'),
  repair: z.boolean(),
  recordsOnly: z.boolean().optional(),
  remove: z.array(z.string()),
  caller: z.string(),
  request: z.string(),
});

export type NodeCommand = z.infer<typeof nodeCommandSchema>;

/** Who waits for an answer. */
export interface Asker {
  caller: string;
  request: string;
}

/** Where a command stands until it is carried out. */
export interface MessagePlace {
  topic: string;
  entry: string;
}

export function askerOf(command: Command): Asker | undefined {
  const { caller, request } = command;
  return caller === undefined || request === undefined ? undefined : { caller, request };
}
