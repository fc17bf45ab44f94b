import type { Readable, Writable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';
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

/** Yields each answer; the stream stays open. Throws for one that no node of this version gives, and where the stream is destroyed. */
export async function* answersIn(stream: Readable): AsyncGenerator<Answer> {
  const decoder = new StringDecoder('utf8');
  let text = '';
  for await (const chunk of stream.iterator({ destroyOnReturn: false })) {
    text += decoder.write(chunk);
    const lines = text.split('\n');
    text = lines.pop() ?? '';
    for (const line of lines) yield schema.parse(JSON.parse(line));
  }
}
