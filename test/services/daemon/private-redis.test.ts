import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { execa } from 'execa';
import { ChildProcesses } from '../../../lib/process.ts';
import { PrivateRedis } from '../../../services/daemon/private-redis.ts';
import { until } from '../../support/until.ts';

let directory: string;
test.beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'blockstore-private-'));
});
test.afterEach.always(() => rm(directory, { recursive: true, force: true }));

const make = () =>
  new PrivateRedis({ processes: new ChildProcesses(), directory, socket: join(directory, 'redis.sock') });
const ask = async (...words: string[]) =>
  (await execa('redis-cli', ['-s', join(directory, 'redis.sock'), ...words])).stdout;

test.serial(
  'a private Redis that a crashed daemon left, and that loads its data for long, is waited for',
  async (t) => {
    const first = make();
    await first.start();
    await ask('eval', "for n = 1, 6000 do redis.call('set', 'k' .. n, n) end", '0');
    await first.stop();
    // 12 seconds.
    const options = `--port 0 --unixsocket ${directory}/redis.sock --dir ${directory} --appendonly yes --key-load-delay 2000`;
    const left = spawn('redis-server', options.split(' '), { stdio: 'ignore' });
    const ended = once(left, 'exit');
    await until(async () => /LOADING/.test(await ask('ping').catch(String)), 'it loads');
    const second = make();
    await second.start();
    t.is(await ask('dbsize'), '6000');
    t.regex(await ask('info', 'server'), new RegExp(`^process_id:${left.pid}\\r?$`, 'm'), 'none is beside it');
    await second.stop();
    await ended;
  },
);

test.serial('a second daemon of a checkout neither uses nor stops the Redis of the first one', async (t) => {
  const first = make();
  await first.start();
  await t.throwsAsync(make().start(), { code: 'StateDirTaken', message: /another "npm start" uses / });
  t.is(await ask('ping'), 'PONG');
  await first.stop();
});

test.serial(
  'a private Redis that a crashed daemon left, and that does not answer, is named; none is started',
  async (t) => {
    const options = `--port 0 --unixsocket ${directory}/redis.sock --dir ${directory} --appendonly yes`;
    const left = spawn('redis-server', options.split(' '), { stdio: 'ignore' });
    const ended = once(left, 'exit');
    await until(async () => (await ask('ping').catch(String)) === 'PONG', 'it runs');
    left.kill('SIGSTOP');
    const message = `redis-server did not start: process ${left.pid} does not answer`;
    await t.throwsAsync(make().start(), { code: 'PrivateRedisFailed', message });
    left.kill('SIGCONT');
    const next = make();
    await next.start();
    await next.stop();
    await ended;
  },
);
