import type { TaskKind } from '../models/task.ts';
import type { Store } from '../redis/store.ts';
import { type Span, inSpan } from '../tracing.ts';

/** Sends a command to a node, and waits for its end where somebody does, as one span. */
export function commandSpan<T>(
  { by }: Store,
  kind: TaskKind,
  attributes: Span['attributes'],
  work: () => Promise<T>,
): Promise<T> {
  return inSpan({ name: `command ${kind}`, kind: 'producer', requester: by, attributes }, work);
}
