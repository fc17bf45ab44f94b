/** A piece of work in a trace. */
export interface Span {
  name: string;
  /** As OpenTelemetry has them: answers a request, sends a command, or carries out a command. */
  kind: 'server' | 'producer' | 'consumer';
  /** Who asked for it, as records have it; that of a request to the API begins with the id of the request. */
  requester?: string;
  /** Headers of the request, which can say what trace it belongs to. */
  headers?: Readonly<Record<string, string | string[] | undefined>>;
  attributes: Readonly<Record<string, string | number>>;
}

export type MakeSpan = <T>(span: Span, work: () => Promise<T>) => Promise<T>;

/** Where all copies of @opentelemetry/api in a process keep what an SDK has registered. */
const registry = Symbol.for('opentelemetry.js.api.1');

let makeSpan: MakeSpan | undefined;

/** There are spans from now on, where an SDK of OpenTelemetry is loaded in this process. Returns whether there is one. */
export async function startTracing(): Promise<boolean> {
  const hasSdk = Reflect.get(globalThis, registry) !== undefined;
  makeSpan = hasSdk ? (await import('./tracing-spans.ts')).makeSpan : undefined;
  return hasSdk;
}

/** Does the work as a span. Without an SDK that costs nothing. */
export function inSpan<T>(span: Span, work: () => Promise<T>): Promise<T> {
  return makeSpan ? makeSpan(span, work) : work();
}
