import test from 'ava';
import { fileWith, problemsOf } from './place.ts';
import { authStrategy } from '../../../lib/flags/api-flags.ts';
import { flagNames, loadFlags } from '../../../lib/flags/load.ts';
import { helpText, printConfig, sampleConfig, secretsOf } from '../../../lib/flags/print.ts';

test('without any source every flag has its default', (t) => {
  const { flags, origins } = loadFlags({});
  t.like(flags, { volume_group: 'nova-volumes', slots_per_shelf: 16, report_interval: 10, num_shell_tries: 3 });
  t.true(flagNames.every((name) => origins[name] === 'default'));
});

test('the command line overrides the environment, which overrides the file, which overrides the default', async (t) => {
  const file = await fileWith(t, '# comment\nredis_port = 1\nredis_db = 1\nredis_host = file\n\n');
  const { flags, origins } = loadFlags({
    file,
    env: { BLOCKSTORE_REDIS_PORT: '2', BLOCKSTORE_REDIS_DB: '2', HOME: '/', BLOCKSTORE_CONFIG: file },
    argv: ['--redis-port', '3'],
  });
  t.like(flags, { redis_port: 3, redis_db: 2, redis_host: 'file' });
  t.like(origins, { redis_port: 'command line', redis_db: 'environment', redis_host: `file ${file} line 4` });
});

test('all problems are reported at once, each with flag, value and source', async (t) => {
  const file = await fileWith(t, 'volume_clear = shred\nnonsense\nvolume_grop = x\n');
  const error = t.throws(
    () =>
      loadFlags({
        file,
        env: { BLOCKSTORE_REDIS_PORT: 'none' },
        argv: ['--slots_per_shelf=256', '--fake_storage=maybe'],
      }),
    { code: 'InvalidFlags' },
  );
  const lines = error?.message.split('\n') ?? [];
  t.is(lines.length, 6);
  for (const words of [
    ['volume_clear = "shred"', 'zero, discard, none', file],
    ['line 2', 'name = value'],
    ['unknown flag volume_grop'],
    ['redis_port = "none"', 'whole number from 1 to 65535', 'environment'],
    ['slots_per_shelf = "256"', '1 to 255', 'command line'],
    ['fake_storage = "maybe"', 'true or false'],
  ]) {
    t.true(
      lines.some((line) => words.every((word) => line.includes(word))),
      words.join(' … '),
    );
  }
});

test('a thin pool has a name that LVM accepts, and a ratio with a fraction', (t) => {
  const flagsOf = (...argv: string[]) => loadFlags({ argv }).flags;
  t.like(flagsOf(), { lvm_type: 'thick', lvm_thin_pool: '', max_over_subscription_ratio: 1 });
  t.is(flagsOf('--max_over_subscription_ratio=1.5').max_over_subscription_ratio, 1.5);
  for (const odd of ['0.9', '1001', 'x', '1e1', 'Infinity']) {
    t.throws(
      () => flagsOf(`--max_over_subscription_ratio=${odd}`),
      { message: /must be a number from 1 to 1000/ },
      odd,
    );
  }
  t.is(flagsOf('--lvm_thin_pool=pool.1').lvm_thin_pool, 'pool.1');
  for (const odd of ['-pool', 'a/b', 'a b', 'volume-1', 'snap-1', 'p'.repeat(43), '-'.repeat(30)]) {
    t.throws(() => flagsOf(`--lvm_thin_pool=${odd}`), { code: 'InvalidFlags' }, odd);
  }
});

test('flags that contradict each other are refused', (t) => {
  t.throws(() => loadFlags({ argv: ['--first_shelf_id=5', '--last_shelf_id=4'] }), { message: /last_shelf_id = 4/ });
  t.throws(() => loadFlags({ argv: ['--storage_create'] }), { message: /requires storage_dev/ });
  t.true(loadFlags({ argv: ['--storage_create', '--lvm_type=thin'] }).flags.storage_create, 'of a pool');
  t.throws(() => loadFlags({ argv: ['--node_down_time=10'] }), { message: /twice report_interval = 10/ });
});

test('the API asks for a token beyond loopback, unless two flags say that it trusts everybody', (t) => {
  const strategy = (...argv: string[]) => authStrategy(loadFlags({ argv }).flags);
  t.is(strategy(), 'noauth');
  t.is(strategy('--api_listen=127.0.0.1:8776,[::1]:8776'), 'noauth');
  t.is(strategy('--api_listen=127.0.0.1:8776', '--auth_strategy=local'), 'local');
  t.is(strategy('--api_listen=127.0.0.1:8776,192.0.2.7:8776'), 'local');
  const open = '--api_listen=[2001:db8::7]:8776';
  t.is(strategy(open, '--auth_strategy=noauth', '--api_noauth_beyond_loopback'), 'noauth');
  t.throws(() => strategy(open, '--auth_strategy=noauth'), { message: /or set api_noauth_beyond_loopback = true/ });
  t.throws(() => strategy(open, '--api_noauth_beyond_loopback'), {
    message: /requires auth_strategy = noauth as well/,
  });
  t.throws(() => strategy('--auth_strategy=none'), { message: /auth_strategy = "none"/ });
});

test('a flag without a value is refused; a boolean flag needs none', (t) => {
  t.throws(() => loadFlags({ argv: ['--redis_port'] }), { message: /--redis_port requires a value/ });
  t.true(loadFlags({ argv: ['--fake-storage', 'word'] }).flags.fake_storage);
  t.deepEqual(loadFlags({ argv: ['--fake-storage', 'word'] }).rest, ['word']);
});

test('the output of --print-config is a valid file without secrets', async (t) => {
  const loaded = loadFlags({ argv: ['--redis_password=hunter2', '--storage_dev=/dev/sdb,/dev/sdc', '--redis_port=7'] });
  const printed = printConfig(loaded);
  t.false(printed.includes('hunter2'));
  t.regex(printed, /from: command line\)\nredis_password = \*\*\*/);
  const again = loadFlags({ file: await fileWith(t, printed.replace('***', 'hunter2')) });
  t.deepEqual(again.flags, loaded.flags);
  t.deepEqual(secretsOf(loaded), ['hunter2']);
});

for (const [name, argv] of Object.entries({
  'a redis_url': ['--redis_url=rediss://h:1/7', '--redis_prefix=x'],
  Sentinels: ['--redis_sentinels=a,b'],
  'a Redis Cluster': ['--redis_cluster=a,b'],
  fake_storage: ['--fake_storage', '--redis_port=7'],
})) {
  test(`the output of --print-config is a valid file with ${name}`, async (t) => {
    const loaded = loadFlags({ argv });
    const printed = printConfig(loaded).replace('redis_url = ***', 'redis_url = rediss://h:1/7');
    t.deepEqual(loadFlags({ file: await fileWith(t, printed) }).flags, loaded.flags);
  });
}

test('a file that is no configuration is described by its first lines', async (t) => {
  const file = await fileWith(t, Array.from({ length: 400 }, () => '\u0001\u0002').join('\n'));
  const problems = problemsOf(t, { file });
  t.is(problems.length, 11);
  t.regex(problems[0] ?? '', / line 1: /);
  t.regex(problems[10] ?? '', /^and 390 more lines of .* are wrong$/);
});

test('a secret that --print-config has masked is refused', async (t) => {
  const file = await fileWith(t, 'redis_password = ***\n');
  const [problem, ...others] = problemsOf(t, { file, env: { BLOCKSTORE_REDIS_URL: '***' } });
  t.regex(problem ?? '', /^redis_url = \*\*\* is a mask of --print-config: write the secret \(environment\)$/);
  t.deepEqual(others, ['redis_password = *** is a mask of --print-config: write the secret (file FILE line 1)']);
});

test('help and the sample name every flag', (t) => {
  for (const name of flagNames) {
    t.true(helpText().includes(`--${name}\n`), name);
    t.true(sampleConfig().includes(`\n#${name} =`), name);
  }
});
