import { chmod, constants, mkdtemp, open, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { RequestClient } from '../../../lib/client/request-client.ts';
import { VolumeCommands } from '../../../lib/client/volume-commands.ts';
import { loadFlags } from '../../../lib/flags/load.ts';
import { silentLog } from '../../../lib/log.ts';
import { findNode } from '../../../lib/models/node.ts';
import { connect } from '../../../lib/redis/connection.ts';
import { Store } from '../../../lib/redis/store.ts';
import { Blockstored, launcher } from '../../support/blockstored.ts';
import { bundled } from '../../support/bundle.ts';
import { RedisServer } from '../../support/redis-server.ts';
import { until } from '../../support/until.ts';

/** The log of a daemon as a process: a log that fails ends no daemon, and nothing else writes between its lines. */

let server: RedisServer;
let directory: string;
let store: Store;
const daemons: Blockstored[] = [];

test.before(async () => {
  server = await RedisServer.start();
  directory = await mkdtemp(join(tmpdir(), 'blockstore-log-'));
  store = new Store(await connect(loadFlags({ embedded: { redis_url: server.url } }).flags, silentLog), 'blockstore');
});
test.after.always(async () => {
  for (const daemon of daemons) await daemon.kill();
  await store.connection.close();
  await server.stop();
  await rm(directory, { recursive: true, force: true });
});

/** Begins a daemon whose standard error is redirected so. */
async function daemonWith(
  name: string,
  redirection: string,
  env: Record<string, string> = {},
  blockstored = launcher,
): Promise<Blockstored> {
  const program = join(directory, `${name}.sh`);
  await writeFile(program, `#!/bin/bash\nexec ${blockstored} "$@" ${redirection}\n`);
  await chmod(program, 0o755);
  const flags = {
    fake_storage: 'true',
    storage_name: name,
    state_dir: join(directory, name),
    redis_url: server.url,
    report_interval: '1',
  };
  const daemon = Blockstored.begin(flags, env, program);
  daemons.push(daemon);
  await until(
    async () => (await findNode(store, name))?.backends.some(({ accepting }) => accepting),
    `${name} is ready`,
  );
  return daemon;
}

for (const [name, redirection, problem] of [
  ['full', '2>/dev/full', 'the log cannot be written: ENOSPC'],
  ['gone', '2> >(true)', 'the log cannot be written: EPIPE'],
  ['closed', '2>&-', undefined],
] as const) {
  test(`a daemon whose log has ${redirection} works, reports it as a problem, and stops in order`, async (t) => {
    const daemon = await daemonWith(name, redirection);
    const commands = new VolumeCommands(store, new RequestClient(store), 'volume');
    const request = { size: 0, userId: 'u', projectId: 'p', node: name };
    const { id } = await commands.create(request, { deadlineMs: 120_000 });
    await commands.delete(id, { deadlineMs: 120_000 });
    if (problem !== undefined) {
      await until(async () => (await findNode(store, name))?.problems.includes(problem), 'the node reports it');
    }
    t.is(await daemon.stop(), 0);
    t.is((await findNode(store, name))?.state, 'stopped');
  });
}

test('a reader that does not read its log delays neither the work nor the stop of a daemon', async (t) => {
  const pipe = join(directory, 'pipe');
  await execa('mkfifo', [pipe]);
  const reader = await open(pipe, constants.O_RDWR | constants.O_NONBLOCK); // which never reads
  t.teardown(() => reader.close());
  await t.throwsAsync(
    async () => {
      for (;;) await reader.write('x'.repeat(4096));
    },
    { code: 'EAGAIN' },
    'the pipe is full',
  );
  const daemon = await daemonWith('stuck', `2>${pipe} --log_level debug`);
  const commands = new VolumeCommands(store, new RequestClient(store), 'volume');
  const request = { size: 0, userId: 'u', projectId: 'p', node: 'stuck', name: 'x'.repeat(255) };
  const { id } = await commands.create(request, { deadlineMs: 120_000 });
  await commands.delete(id, { deadlineMs: 120_000 });
  t.is(await daemon.stop(), 0);
});

test('libraries and Node.js write nothing between the lines of the log', async (t) => {
  const log = join(directory, 'noisy.log');
  const noisy = join(await bundled('test/support/noisy-library.ts'), 'bin', 'blockstored');
  const env = {
    JOURNAL_STREAM: '1:2', // of an ancestor, whose standard error was another one
    DEBUG: '*',
    NODE_DEBUG: '*',
  };
  const daemon = await daemonWith('noisy', `2>${log}`, env, noisy);
  daemon.signal('SIGUSR2');
  const text = await until(async () => {
    const content = await readFile(log, 'utf8');
    return content.includes('by Node.js') && content;
  }, 'the warnings are logged');
  for (const line of text.trim().split('\n')) t.notThrows(() => JSON.parse(line), line);
  t.regex(text, /"level":"warn","message":"by a library"/);
  t.is(await daemon.stop(), 0);
});

// npm is a Node.js, which resets the signals that nohup(1) ignores; the input that it gives in place of a terminal stays.
const byNohup = { nohup: `nohup ${launcher}`, 'nohup npm start': `${launcher} 0>/dev/null` };
for (const [name, command] of Object.entries(byNohup)) {
  test(`a daemon that was started by ${name} continues when the terminal ends`, async (t) => {
    const log = join(directory, `${name}.log`);
    const daemon = await daemonWith(name.replaceAll(' ', '-'), `2>'${log}'`, {}, command);
    daemon.signal('SIGHUP');
    const isLogged = async () => (await readFile(log, 'utf8')).includes('SIGHUP has no effect');
    await until(async () => daemon.hasEnded || (await isLogged()), 'SIGHUP is logged');
    t.is(await daemon.stop(), 0);
    t.true(await isLogged());
  });
}

test('signals of other daemons, such as those of a log rotation, neither end a daemon nor open a debugger', async (t) => {
  const log = join(directory, 'signals.log');
  const daemon = await daemonWith('signals', `2>${log}`);
  daemon.signal('SIGUSR1'); // blocked by the launcher
  daemon.signal('SIGUSR2');
  const isLogged = async () => (await readFile(log, 'utf8')).includes('SIGUSR2 has no effect');
  await until(async () => daemon.hasEnded || (await isLogged()), 'SIGUSR2 is logged');
  t.notRegex(await readFile(log, 'utf8'), /inspector|debugger/i);
  t.is(await daemon.stop(), 0);
});
