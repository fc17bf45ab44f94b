import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { Blockstored } from '../../support/blockstored.ts';
import { RedisServer } from '../../support/redis-server.ts';

/** A daemon that loads an SDK of OpenTelemetry, as the bundle does, which has an @opentelemetry/api of its own. */

let server: RedisServer;
let directory: string;
test.before(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-tracing-'));
});
test.after.always(async () => {
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

const flags = (name: string, more: Record<string, string>) => ({
  storage_name: name,
  fake_storage: 'true',
  state_dir: join(directory, name),
  redis_url: server.url,
  log_format: 'human',
  api_listen: '127.0.0.1:0',
  ...more,
});

const sdk = `
import { createRequire } from 'node:module';
import { writeFileSync } from 'node:fs';
const require = createRequire('${join(import.meta.dirname, 'x.js')}');
const { InMemorySpanExporter, NodeTracerProvider, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-node');
const exporter = new InMemorySpanExporter();
const provider = new NodeTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
provider.register();
export async function shutdown() {
  await provider.forceFlush();
  writeFileSync(new URL('spans', import.meta.url), exporter.getFinishedSpans().map(({ name }) => name).join('\\n'));
}
`;

test('the daemon traces with the SDK of its tracing module, and shuts it down at its end', async (t) => {
  const file = join(directory, 'sdk.mjs');
  await writeFile(file, sdk);
  const daemon = await Blockstored.start(flags('n1', { tracing_module: file }));
  t.teardown(() => daemon.kill());
  t.regex(daemon.log, /work is traced/);
  const [, url] = /the API is served at (\S+)/.exec(daemon.log) ?? [];
  t.is((await fetch(`${url}/v3/project/volumes`)).status, 200);
  t.is(await daemon.stop(), 0, daemon.log);
  t.regex(await readFile(join(directory, 'spans'), 'utf8'), /^API volume:list$/m);
});

test('a tracing module that cannot be loaded prevents the start; one without an SDK is named', async (t) => {
  const missing = await Blockstored.run(flags('n2', { tracing_module: '/no/such/file.mjs' }));
  t.is(missing.exitCode, 1, missing.log);
  t.regex(missing.log, /the tracing module \/no\/such\/file\.mjs cannot be loaded/);
  const empty = join(directory, 'empty.mjs');
  await writeFile(empty, 'export const nothing = 1;\n');
  const daemon = await Blockstored.start(flags('n2', { tracing_module: empty }));
  t.teardown(() => daemon.kill());
  t.regex(daemon.log, /empty\.mjs has registered no tracer: nothing is traced/);
});
