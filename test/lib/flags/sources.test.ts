import test from 'ava';
import { loadFlags } from '../../../lib/flags/load.ts';
import { printConfig, secretsOf } from '../../../lib/flags/print.ts';
import { fileWith, problemsOf } from './place.ts';

test('a file may have a byte order mark, CRLF line ends, tabs, and no line end at its end', async (t) => {
  const file = await fileWith(t, '\uFEFFredis_port\t=\t7\t\r\n\t# comment\r\n\r\n--redis-db = 2\r\nstorage_name=n1');
  t.like(loadFlags({ file }).flags, { redis_port: 7, redis_db: 2, storage_name: 'n1' });
});

test('a value can be quoted, with a comment behind it', async (t) => {
  const file = await fileWith(
    t,
    `redis_password = "secret # prod" # comment\nredis_user = 'say "hi"'\nstorage_name = "n1"\nredis_prefix=''\n`,
  );
  const { flags } = loadFlags({ file });
  t.like(flags, { redis_password: 'secret # prod', redis_user: 'say "hi"', storage_name: 'n1' });
  t.is(flags.redis_prefix, 'blockstore');
});

test('a # without a space before it, and a quote inside a value, are part of the value', async (t) => {
  const file = await fileWith(t, `redis_password = a#b'c"\n`);
  t.is(loadFlags({ file }).flags.redis_password, `a#b'c"`);
});

test('an ambiguous line is refused by number, without its value', async (t) => {
  const lines = [
    'redis_password = secret # prod',
    'redis_password = # secret',
    'redis_password = "secret',
    `redis_password = "secret' x`,
    'redis_password = "secret" x',
    'redis_password: secret',
    'secret',
    '[secret',
    'storage_name = sec\u0000ret',
  ];
  for (const line of lines) {
    const problems = problemsOf(t, { file: await fileWith(t, `\n${line}\n`) });
    t.is(problems.length, 1, line);
    t.regex(problems[0] ?? '', /^FILE line 2: /, line);
    t.notRegex(problems[0] ?? '', /secret/, line);
  }
});

test('a flag that a file sets twice is reported with both lines', async (t) => {
  const file = await fileWith(t, 'redis_port = 1\nredis_db = 1\nredis-port = 2\n');
  t.deepEqual(problemsOf(t, { file }), ['redis-port is set twice: file FILE line 1 and file FILE line 3']);
});

test('an empty value counts as not set, in every source', async (t) => {
  const file = await fileWith(t, 'storage_create =\nredis_port = 7\n');
  const { flags, origins } = loadFlags({
    file,
    env: { BLOCKSTORE_REDIS_PORT: '', BLOCKSTORE_STORAGE_NAME: ' ' },
    argv: ['--redis_port='],
    set: ['redis_db='],
  });
  t.like(flags, { storage_create: false, redis_port: 7, redis_db: 0 });
  t.is(origins.redis_port, `file ${file} line 2`);
});

test('an invalid --set and an unknown flag are refused without their value', (t) => {
  const set = [' redis_port=1', 'redis port=1', '--redis_port=1', '=1', 'redis_port', '', 'a.b.c=1', 'nonsense=secret'];
  const problems = problemsOf(t, { set });
  t.is(problems.length, set.length, problems.join('\n'));
  t.false(problems.join('\n').includes('secret'));
  for (const pair of set) t.throws(() => loadFlags({ set: [pair] }), { code: 'InvalidFlags' }, pair);
});

test('every flag can be given as --flag=value and as --flag value', (t) => {
  t.is(loadFlags({ argv: ['--redis-port=7'] }).flags.redis_port, 7);
  t.is(loadFlags({ argv: ['--redis-port', '7'] }).flags.redis_port, 7);
  t.like(
    loadFlags({ argv: ['--enabled_backends=a', '--a.storage_create', '--a.storage_dev=/dev/x'] }).backends[0].flags,
    {
      storage_create: true,
    },
  );
});

test('of several addresses of Redis the one of the last source is used', async (t) => {
  const url = await fileWith(t, 'redis_url = redis://by-file:1/4\nredis_password = p\n');
  const sentinels = await fileWith(t, 'redis_sentinels = s1, s2:5\nredis_sentinel_name = main\nredis_db = 3\n');
  t.like(loadFlags({ file: url, set: ['redis_port=7302'] }).flags, {
    redis_url: '',
    redis_host: '127.0.0.1',
    redis_port: 7302,
    redis_db: 0,
    redis_password: 'p',
  });
  t.like(loadFlags({ file: url, env: { BLOCKSTORE_REDIS_SENTINELS: 's' } }).flags, {
    redis_url: '',
    redis_sentinels: ['s'],
  });
  t.like(loadFlags({ file: sentinels, set: ['redis_url=redis://u'] }).flags, {
    redis_url: 'redis://u',
    redis_sentinels: [],
    redis_db: 0,
  });
  t.like(loadFlags({ file: sentinels, argv: ['--redis_cluster=c'], set: [] }).flags, {
    redis_sentinels: [],
    redis_cluster: ['c'],
  });
  const { origins, flags } = loadFlags({ file: url, env: { BLOCKSTORE_REDIS_HOST: 'h' }, set: ['redis_port=1'] });
  t.like(flags, { redis_host: 'h', redis_port: 1 });
  t.is(origins.redis_url, `default; its value (file ${url} line 1) is overridden by redis_port (command line)`);
  t.regex(
    printConfig(loadFlags({ file: url, set: ['redis_port=1'] })),
    /is overridden by redis_port \(command line\)\)\nredis_url =\n/,
  );
});

test('two addresses of Redis in one source, and a database beside a URL, are refused', async (t) => {
  const both = await fileWith(t, 'redis_host = h\nredis_url = redis://u\n');
  t.deepEqual(problemsOf(t, { file: both }), [
    'redis_url and redis_host both give the address of Redis: set only one (file FILE line 2, file FILE line 1)',
  ]);
  t.like(loadFlags({ file: both, set: ['redis_sentinels=s'] }).flags, { redis_url: '', redis_host: '127.0.0.1' });
  t.regex(
    problemsOf(t, { env: { BLOCKSTORE_REDIS_URL: 'redis://u/1' }, set: ['redis_db=2'] })[0] ?? '',
    /redis_db and redis_url/,
  );
});

test('an invalid redis_url is refused and not printed', (t) => {
  const wrong = [
    'redis://hunter2/abc',
    'redis://hunter2/-1',
    'redis://hunter2/1?db=1',
    'redis://hunter2/1?x=1',
    'redis://user:hunter2%zz@h',
    'redis://user:1234/hunter2@h',
    'redis://user:hunter2#x@h',
    'redis://user:hunter2/x@h',
    'redis://h:99999/hunter2',
    'redis:hunter2',
    'http://hunter2',
    'hunter2',
    'unix:hunter2',
    'unix:/hunter2?db=x',
  ];
  for (const url of wrong) {
    const [problem = '', ...others] = problemsOf(t, { set: [`redis_url=${url}`] });
    t.regex(problem, /^redis_url = \*\*\* /, url);
    t.notRegex(problem, /hunter2|1234|zz|99999/, url);
    t.deepEqual(others, []);
  }
});

test('invalid hosts and ports are refused', (t) => {
  for (const pair of [
    'redis_sentinels=h:99999',
    'redis_sentinels=h:0',
    'redis_cluster=a,b:x',
    'redis_cluster=[h]:1',
    'redis_cluster=redis://h',
    'redis_host=h:1',
    'redis_host=[h]',
    'redis_host=a b',
  ]) {
    t.regex(problemsOf(t, { set: [pair] })[0] ?? '', /must be .*host/, pair);
  }
});

test('the password in a URL is a secret in each of its forms', (t) => {
  const { flags } = loadFlags({ set: ['redis_url=redis://u:p%40ss@h'] });
  t.deepEqual(secretsOf(flags), ['redis://u:p%40ss@h', 'p%40ss', 'p@ss']);
});

for (const name of [
  '.',
  '..',
  '.x',
  '-x',
  'shm',
  'mapper',
  'snapshot',
  'a b',
  'a/b',
  'ä',
  'x'.repeat(79),
  '-'.repeat(2),
  `x${'-'.repeat(39)}`,
]) {
  test(`${JSON.stringify(name)} is refused as a volume group`, (t) => {
    t.regex(problemsOf(t, { set: [`volume_group=${name}`] })[0] ?? '', /^volume_group = .* must /);
  });
}

for (const name of ['x'.repeat(78), `xx${'-'.repeat(38)}`, 'nova-volumes', '_a.b+c']) {
  test(`${name} is accepted as a volume group`, (t) => {
    t.is(loadFlags({ set: [`volume_group=${name}`] }).flags.volume_group, name);
  });
}
