import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import test from 'ava';
import { execa } from 'execa';
import { z } from 'zod';
import { version } from '../../lib/version.ts';
import { RedisServer } from '../support/redis-server.ts';
import { until } from '../support/until.ts';

const root = path.resolve(import.meta.dirname, '../..');
const coverageSchema = z.object({ result: z.array(z.object({ url: z.string() })) });
let directory: string;
let server: RedisServer;

test.before('make the bundle outside the checkout, where no package is found', async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'blockstore-bundle-'));
  await execa(process.execPath, [path.join(root, 'tools/bundle.ts'), path.join(directory, 'bundle')]);
  server = await RedisServer.start();
});

test.after.always(async () => {
  await server?.stop();
  await rm(directory, { recursive: true, force: true });
});

function run(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}) {
  return execa(path.join(directory, 'bundle', 'bin', program), args, {
    cwd: '/',
    extendEnv: false,
    reject: false,
    all: true,
    env: { PATH: process.env['PATH'] ?? '', BLOCKSTORE_CONFIG: '/dev/null', ...env },
  });
}

test('both programs print help and version', async (t) => {
  for (const program of ['blockstore', 'blockstored']) {
    t.is((await run(program, ['--version'])).stdout, version);
    t.regex((await run(program, ['--help'])).stdout, new RegExp(`Usage: ${program}`));
  }
});

test('the daemon serves volumes to the command line', async (t) => {
  const url = `--redis-url=${server.url}`;
  const flags = ['--storage-name=bundle', '--volume-driver=file', `--volume-pool-dir=${directory}/volumes`];
  const daemon = run('blockstored', [...flags, '--volume-target=none', `--state-dir=${directory}/state`, url]);
  let log = '';
  daemon.all.on('data', (chunk: Buffer) => {
    log += chunk.toString();
  });
  await until(() => log.includes('is ready'), 'blockstored is ready');
  const created = await run('blockstore', [url, 'volume', 'create', '1', '--name', 'data', '-q']);
  t.is(created.exitCode, 0, created.all);
  t.regex((await run('blockstore', [url, 'volume', 'list'])).stdout, /data.*available|available.*data/);
  daemon.kill('SIGTERM');
  t.is((await daemon).exitCode, 0);
});

test('scripts that run are at the same place as in the checkout', async (t) => {
  const files = (await readdir(path.join(root, 'lib'), { recursive: true })).filter((file) => /\.(lua|pl)$/.test(file));
  t.true(files.length > 2);
  for (const file of files) {
    t.is(
      await readFile(path.join(directory, 'bundle', 'lib', file), 'utf8'),
      await readFile(path.join(root, 'lib', file), 'utf8'),
    );
  }
});

/** The modules that a run of the command line loads, as text. */
async function loadedBy(...args: string[]): Promise<string[]> {
  const coverage = await mkdtemp(path.join(directory, 'coverage-'));
  await run('blockstore', args, { NODE_V8_COVERAGE: coverage });
  return loadedIn(coverage);
}

async function loadedIn(coverage: string): Promise<string[]> {
  const texts = await Promise.all((await readdir(coverage)).map((file) => readFile(path.join(coverage, file), 'utf8')));
  const urls = texts.flatMap((text) => coverageSchema.parse(JSON.parse(text)).result.map(({ url }) => url));
  return Promise.all(urls.filter((url) => url.endsWith('.mjs')).map((url) => readFile(fileURLToPath(url), 'utf8')));
}

test('help loads neither Redis nor the checks of flags, and no command loads winston', async (t) => {
  const isIn = (texts: readonly string[], name: string) =>
    texts.some((text) => text.includes(`\n// node_modules/${name}/`));
  const [help, list] = [await loadedBy('--help'), await loadedBy(`--redis-url=${server.url}`, 'volume', 'list')];
  t.true(isIn(help, 'commander'));
  for (const name of ['ioredis', 'zod', 'execa', 'winston']) t.false(isIn(help, name), name);
  t.true(isIn(list, 'ioredis'));
  for (const name of ['execa', 'winston', 'logform', 'fast-xml-parser']) t.false(isIn(list, name), name);
});

test('the notices have the licence of every bundled package', async (t) => {
  const notices = await readFile(path.join(directory, 'bundle', 'NOTICES'), 'utf8');
  const names = new Set<string>();
  for (const file of await readdir(path.join(directory, 'bundle', 'bin'))) {
    if (!file.endsWith('.mjs')) continue;
    const text = await readFile(path.join(directory, 'bundle', 'bin', file), 'utf8');
    for (const [, name = ''] of text.matchAll(/^\/\/ .*node_modules\/((?:@[^/\n]+\/)?[^/\n]+)\//gm)) names.add(name);
  }
  t.true(names.has('ioredis') && names.has('winston'));
  const parts = notices.split(`\n${'='.repeat(80)}\n`).slice(1);
  const noticed = new Set(parts.map((part) => part.slice(0, part.indexOf(' '))));
  for (const name of names) t.true(noticed.has(name), name);
  for (const part of parts) t.true(part.length > 400, part.split('\n')[0]);
});

test('the bundle has no path of the checkout that it was made in', async (t) => {
  const { stdout } = await execa('grep', ['-rlF', root, path.join(directory, 'bundle')], { reject: false });
  t.is(stdout, '');
});

test('a daemon without an API and metrics loads neither', async (t) => {
  const libraries = async (name: string, ...flags: string[]) => {
    const coverage = await mkdtemp(path.join(directory, 'coverage-'));
    const own = [`--storage-name=${name}`, `--state-dir=${directory}/${name}`, `--redis-url=${server.url}`];
    const daemon = run('blockstored', ['--fake-storage=true', ...own, ...flags], { NODE_V8_COVERAGE: coverage });
    let log = '';
    daemon.all.on('data', (chunk: Buffer) => {
      log += chunk.toString();
    });
    await until(() => log.includes('is ready'), 'blockstored is ready');
    daemon.kill('SIGTERM');
    t.is((await daemon).exitCode, 0, log);
    const text = (await loadedIn(coverage)).join('\n');
    return ['fastify', 'prom-client', '@opentelemetry/api'].filter((library) =>
      text.includes(`node_modules/${library}/`),
    );
  };
  t.deepEqual(await libraries('without'), []);
  t.deepEqual(await libraries('metrics', '--metrics-listen=127.0.0.1:0'), ['prom-client', '@opentelemetry/api']);
  t.deepEqual(await libraries('api', '--api-listen=127.0.0.1:0'), ['fastify', 'prom-client', '@opentelemetry/api']);
});
