import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { z } from 'zod';
import type { Fault } from '../errors.ts';
import { faultSchema } from '../models/fault.ts';

/** What the destination answers, a line of JSON each: how far it has compared, or the end. */
const schema = z.union([
  z.object({ percent: z.number().min(0).max(100) }),
  z.object({ done: z.literal(true) }),
  z.object({ fault: faultSchema }),
]);
export type Answer = { percent: number } | { done: true } | { fault: Fault };

export function writeAnswer(stream: Writable, answer: Answer): void {
  stream.write(`${JSON.stringify(answer)}\n`);
}

/** Yields each answer; the stream stays open. Throws for one that no node of this version gives. */
export async function* answersIn(stream: Readable): AsyncGenerator<Answer> {
  for await (const line of createInterface({ input: stream })) yield schema.parse(JSON.parse(line));
}
