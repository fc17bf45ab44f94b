import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

test.serial('options override the environment, which overrides the file', async (t) => {
  const file = place.file('other.conf');
  await writeFile(file, 'redis_url = unix:/by-file\n');
  const away = async (env: NodeJS.ProcessEnv, ...args: string[]) => {
    const { exitCode, stderr } = await place.spawn('blockstore', ['status', ...args], {
      BLOCKSTORE_REDIS_URL: undefined,
      ...env,
    });
    t.is(exitCode, 7);
    return /Redis at (\S+) cannot be reached/.exec(stderr)?.[1];
  };
  t.is(await away({}, '--config', file), '/by-file');
  t.is(await away({ BLOCKSTORE_CONFIG: file }), '/by-file');
  t.is(await away({ BLOCKSTORE_REDIS_URL: 'unix:/by-env' }, '--config', file), '/by-env');
  t.is(await away({ BLOCKSTORE_REDIS_URL: 'unix:/by-env' }, '--redis-url', 'unix:/by-option'), '/by-option');
  t.is(await away({}, '--set', 'redis_url=unix:/by-set', '--config', file), '/by-set');
});

test.serial('of --redis-url and --set the last one is used, and an empty address is refused', async (t) => {
  const where = async (...args: string[]) => /Redis at (\S+) /.exec((await place.run('status', ...args)).stderr)?.[1];
  t.is(await where('--redis-url', 'unix:/one', '--set', 'redis_url=unix:/two'), '/two');
  t.is(await where('--set', 'redis_url=unix:/two', '--redis-url', 'unix:/one'), '/one');
  for (const args of [['--redis-url', ''], ['--redis-url='], ['--set', 'redis_port='], ['--set='], ['--config', ' ']]) {
    const { exitCode, stderr } = await place.run('volume', 'delete', 'x', ...args);
    t.is(exitCode, 2, args.join(' '));
    t.regex(stderr, /^blockstore: .*(requires a (value|file name)|is not name=value) \(command line\)\n/);
  }
});

test.serial('every problem of the settings is reported at once', async (t) => {
  const { exitCode, stderr } = await place.run('status', '--set', 'nonsense=1', '--set', 'redis_port=0');
  t.is(exitCode, 2);
  t.regex(stderr, /^blockstore: unknown flag nonsense .*\n  redis_port = "0" must be/);
});

test.serial('a refused password has its own exit code', async (t) => {
  const store = await place.store();
  await store.redis.config('SET', 'requirepass', 'secret');
  const { exitCode, stderr } = await place.run('status', '--json');
  const right = await place.run('status', '--set', 'redis_password=secret');
  await store.redis.config('SET', 'requirepass', '');
  t.is(exitCode, 8);
  t.like(JSON.parse(stderr), { error: { code: 'RedisDenied', kind: 'denied' } });
  t.is(right.exitCode, 0);
});

test.serial('--quiet prints only results and errors', async (t) => {
  t.is((await place.run('volume', 'list')).stderr, 'no volumes');
  t.deepEqual(await place.run('volume', 'list', '--quiet'), { exitCode: 0, stdout: '', stderr: '' });
});
