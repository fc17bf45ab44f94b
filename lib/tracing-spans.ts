import { SpanKind, SpanStatusCode, context, propagation, trace } from '@opentelemetry/api';
import { asError } from './errors.ts';
import type { Span } from './tracing.ts';
import { version } from './version.ts';

const kinds = { server: SpanKind.SERVER, producer: SpanKind.PRODUCER, consumer: SpanKind.CONSUMER };

/** What the requester did wrong is no error of a span. */
const ownFailures: ReadonlySet<string> = new Set(['failed', 'unavailable']);

export function makeSpan<T>(span: Span, work: () => Promise<T>): Promise<T> {
  const { name, kind, requester = '', headers, attributes } = span;
  const [request] = /^req-\S+/.exec(requester) ?? [];
  const tracer = trace.getTracer('blockstore', version);
  const active = context.active();
  // An instrumentation of the server may have made a span of the same request already.
  const parent = headers && !trace.getSpan(active) ? propagation.extract(active, headers) : active;
  const options = {
    kind: kinds[kind],
    attributes: { ...attributes, ...(request === undefined ? {} : { 'blockstore.request_id': request }) },
  };
  return tracer.startActiveSpan(name, options, parent, async (own) => {
    try {
      return await work();
    } catch (thrown) {
      const error = asError(thrown);
      own.setAttribute('error.type', error.code);
      if (ownFailures.has(error.kind)) own.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      throw thrown;
    } finally {
      own.end();
    }
  });
}
