import {
  InMemorySpanExporter,
  NodeTracerProvider,
  type ReadableSpan,
  SimpleSpanProcessor,
} from '@opentelemetry/sdk-trace-node';
import test from 'ava';
import { z } from 'zod';
import { errors } from '../../../lib/errors.ts';
import { inSpan } from '../../../lib/tracing.ts';
import { MonitoredDaemon } from '../../support/monitored-daemon.ts';
import { until } from '../../support/until.ts';

/** With an SDK of OpenTelemetry in this process. */
const exporter = new InMemorySpanExporter();
let daemon: MonitoredDaemon;
test.before(async () => {
  new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] }).register();
  daemon = await MonitoredDaemon.start();
});
test.after.always(() => daemon.close());

const trace = '0af7651916cd43dd8448eb211c80319c';
const createdSchema = z.object({ volume: z.object({ id: z.string() }) });

async function span(name: string, where: Partial<Record<string, string>> = {}): Promise<ReadableSpan> {
  const matches = ({ name: own, attributes }: ReadableSpan) =>
    own === name && Object.entries(where).every(([key, value]) => attributes[key] === value);
  return until(() => exporter.getFinishedSpans().find(matches), `there is a span ${name}`);
}

test.serial('a request, its command and the operation are spans, linked by the id of the request', async (t) => {
  const answer = await fetch(`${daemon.apiUrl}/v3/project/volumes`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', traceparent: `00-${trace}-b7ad6b7169203331-01` },
    body: JSON.stringify({ volume: { size: 1 } }),
  });
  const request = answer.headers.get('x-openstack-request-id') ?? '';
  const { id } = createdSchema.parse(await answer.json()).volume;
  const [served, sent, done] = [
    await span('API volume:create'),
    await span('command create'),
    await span('operation create', { 'blockstore.volume': id }),
  ];
  t.is(served.spanContext().traceId, trace);
  t.is(served.parentSpanContext?.spanId, 'b7ad6b7169203331');
  t.is(sent.spanContext().traceId, trace);
  t.is(sent.parentSpanContext?.spanId, served.spanContext().spanId);
  for (const { attributes } of [served, sent, done]) t.is(attributes['blockstore.request_id'], request);
  t.like(done.attributes, { 'blockstore.node': 'n1', 'blockstore.backend': 'thin' });
});

test.serial('a failure of ours is an error of the span, one of the requester is not', async (t) => {
  const failed = async (error: Error, name: string) => {
    const work = async () => {
      throw error;
    };
    await t.throwsAsync(inSpan({ name, kind: 'server', attributes: {} }, work), { is: error });
    return span(name);
  };
  const own = await failed(errors.storageMissing('v', 'somewhere'), 'ours');
  t.is(own.status.code, 2);
  t.is(own.attributes['error.type'], 'StorageMissing');
  const theirs = await failed(errors.volumeNotFound('v'), 'theirs');
  t.is(theirs.status.code, 0);
  t.is(theirs.attributes['error.type'], 'VolumeNotFound');
});
