import test from 'ava';
import { definitions } from '../../../lib/flags/definitions.ts';
import { flagNames, loadFlags } from '../../../lib/flags/load.ts';
import { printConfig, secretsOf } from '../../../lib/flags/print.ts';
import { connectionOptions } from '../../../lib/redis/connection-options.ts';
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
    'redis_password = secret ; prod',
    'redis_password = secret // prod',
    'redis_password = \u201Csecret\u201D',
    'redis_password = sec\u200Bret',
    'redis_password = sec\uFEFFret',
    'redis_password = sec\u2028ret',
    '; redis_password = secret',
    '<<secret',
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

test('a file or an environment that is not UTF-8 is refused where a value is concerned', async (t) => {
  const latin1 = Buffer.from('# Gr\u00F6\u00DFe\nredis_port = 7\nredis_password = gr\u00F6\u00DFe\n', 'latin1');
  t.deepEqual(problemsOf(t, { file: await fileWith(t, latin1) }), ['FILE line 3: is not valid UTF-8']);
  const env = { BLOCKSTORE_REDIS_PASSWORD: 'gr\u{FFFD}e', BLOCKSTORE_REDIS_USER: 'user\n' };
  t.deepEqual(problemsOf(t, { env }), [
    'BLOCKSTORE_REDIS_PASSWORD is not valid UTF-8 (environment)',
    'BLOCKSTORE_REDIS_USER has a control character (environment)',
  ]);
});

test('a value that --print-config quotes reads back', async (t) => {
  for (const value of ['a;b', 'a ; b', 'a // b', "it's", '"quoted"', "'", '\u201Cx', ' x ', 'a#b', '# a']) {
    const printed = printConfig(loadFlags({ argv: [`--redis_user=${value}`] }));
    t.is(loadFlags({ file: await fileWith(t, printed) }).flags.redis_user, value, printed);
  }
});

test('a flag that a file sets twice is reported with both lines', async (t) => {
  const file = await fileWith(t, 'redis_port = 1\nredis_db = 1\nredis-port = 2\n');
  t.deepEqual(problemsOf(t, { file }), ['redis-port is set twice: file FILE line 1 and file FILE line 3']);
});

test('a flag that two variables set is reported', (t) => {
  const env = { BLOCKSTORE_REDIS_PORT: '1', BLOCKSTORE_redis_port: '2', BLOCKSTORE_REDIS_DB: '1' };
  t.deepEqual(problemsOf(t, { env }), ['BLOCKSTORE_redis_port is set twice: environment']);
  t.is(loadFlags({ env: { ...env, BLOCKSTORE_redis_port: '' } }).flags.redis_port, 1);
});

test('of a flag repeated on the command line the last value is used', (t) => {
  t.is(loadFlags({ argv: ['--redis-port=1', '--redis_port', '2'] }).flags.redis_port, 2);
});

test('a flag that --set gives twice is reported with both values, but no secret', (t) => {
  t.deepEqual(problemsOf(t, { set: ['redis_port=1', 'redis_db=1', 'redis-port=2'] }), [
    'redis-port is set twice, to "1" and "2": give it once (command line)',
  ]);
  t.deepEqual(problemsOf(t, { set: ['redis_password=one', 'redis_password=other'] }), [
    'redis_password is set twice, to *** and ***: give it once (command line)',
  ]);
  const set = ['enabled_backends=a-1,b', 'a-1.volume_group=x', 'b.volume_group=y'];
  t.is(loadFlags({ set }).backends.length, 2);
  t.deepEqual(problemsOf(t, { set: [...set, 'a_1.volume-group=z'] }), [
    'a_1.volume-group is set twice, to "x" and "z": give it once (command line)',
  ]);
});

test('an empty value counts as not set in a file and in the environment', async (t) => {
  const file = await fileWith(t, 'storage_create =\nredis_port = 7\n');
  const { flags, origins } = loadFlags({
    file,
    env: { BLOCKSTORE_REDIS_PORT: '', BLOCKSTORE_STORAGE_NAME: ' ' },
  });
  t.like(flags, { storage_create: false, redis_port: 7, redis_db: 0 });
  t.is(origins.redis_port, `file ${file} line 2`);
});

test('a wrong database on the command line is reported alone, not as a fault of the URL in a file', async (t) => {
  for (const url of ['unix:/run/redis.sock', 'redis://h:1/3']) {
    const file = await fileWith(t, `redis_url = ${url}\n`);
    for (const value of ['-1', 'x', '1.5', '1000001']) {
      const found = problemsOf(t, { file, set: [`redis_db=${value}`] });
      t.is(found.length, 1, found.join());
      t.regex(found[0] ?? '', /^redis_db = .* \(command line\)$/);
    }
    t.regex(loadFlags({ file, set: ['redis_db=1000000'] }).flags.redis_url, /1000000$/);
  }
});

test('an empty value on the command line is refused: it would lead to the value of another source', (t) => {
  t.deepEqual(problemsOf(t, { argv: ['--redis-port=', '--a.volume_group', ' '], set: ['redis_db=', 'nonsense='] }), [
    '--redis-port requires a value (command line)',
    '--a.volume_group requires a value (command line)',
    'redis_db requires a value (command line)',
    'unknown flag nonsense (command line)',
  ]);
});

test('the name of a flag is not taken for the forgotten value of another', (t) => {
  const argv = ['--redis_password', '--redis-port', '7', '--a.volume_group', '--b.volume_clear'];
  t.deepEqual(problemsOf(t, { argv }), [
    '--redis_password requires a value before --redis-port (command line)',
    '--a.volume_group requires a value before --b.volume_clear (command line)',
    '--b.volume_clear requires a value (command line)',
  ]);
  t.is(loadFlags({ argv: ['--redis_password', '--secret'] }).flags.redis_password, '--secret');
  t.is(loadFlags({ argv: ['--redis_password=--redis-port'] }).flags.redis_password, '--redis-port');
});

test('a value behind a boolean flag and a space is refused, with the right form', (t) => {
  for (const word of ['false', 'no', 'off', '0', 'true', 'FALSE']) {
    t.deepEqual(problemsOf(t, { argv: ['--aoe-unfiltered', word, '--redis_port=7'] }), [
      `--aoe-unfiltered ${word}: write --aoe-unfiltered=${word.toLowerCase()} (command line)`,
    ]);
  }
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
  t.deepEqual(problemsOf(t, { set: ['redis_url=redis://u/1', 'redis_db=2'] }), [
    'redis_db and redis_url cannot both be set: add the database to the URL (command line)',
  ]);
});

test('an address of Redis without redis:// is refused with the forms that it may have', (t) => {
  for (const address of ['127.0.0.1:6379', '[::1]:6379', 'localhost:6379', '/run/redis.sock', 'http://h']) {
    t.deepEqual(problemsOf(t, { set: [`redis_url=${address}`] }), [
      'redis_url = *** must begin with redis://, rediss:// or unix: (command line)',
    ]);
  }
});

test('of a URL and the flags for its parts the stronger source counts', async (t) => {
  const url = await fileWith(t, 'redis_url = rediss://u1:p1@h:1/2\n');
  const stronger = loadFlags({ file: url, env: { BLOCKSTORE_REDIS_PASSWORD: 'p2', BLOCKSTORE_REDIS_USER: 'u2' } });
  t.like(connectionOptions(stronger.flags).options, {
    username: 'u2',
    password: 'p2',
    host: 'h',
    port: 1,
    db: 2,
    tls: {},
  });
  const plain = loadFlags({ file: url, set: ['redis_tls=false'] });
  t.is(connectionOptions(plain.flags).options.tls, undefined);
  t.like(connectionOptions(plain.flags).options, { username: 'u1', password: 'p1' });

  const flags = await fileWith(t, 'redis_user = u1\nredis_password = p1\nredis_tls = true\n');
  const given = (address: string) => loadFlags({ file: flags, set: [`redis_url=${address}`] });
  t.like(connectionOptions(given('redis://u2:p2@h').flags).options, { username: 'u2', password: 'p2' });
  t.is(connectionOptions(given('redis://u2:p2@h').flags).options.tls, undefined);
  t.is(connectionOptions(given('unix:/run/redis').flags).options.tls, undefined);
  const { options } = connectionOptions(given('redis://:p2@h').flags);
  t.is(options.username, undefined);
  t.is(options.password, 'p2');
  t.like(connectionOptions(given('redis://u2@h').flags).options, { username: 'u2', password: 'p1' });
  t.is(
    given('redis://u2:p2@h').origins.redis_password,
    `default; its value (file ${flags} line 2) is overridden by redis_url (command line)`,
  );

  for (const address of [
    'redis://u',
    'redis://u:p@u:1/1',
    'unix:/run/redis?db=1',
    'unix:/run/redis',
    'redis://u?db=1',
  ]) {
    const { flags: both } = loadFlags({ env: { BLOCKSTORE_REDIS_URL: address }, set: ['redis_db=2'] });
    t.is(connectionOptions(both).options.db, 2, address);
    t.is(both.redis_db, 2);
  }
  const [wrong = ''] = problemsOf(t, { env: { BLOCKSTORE_REDIS_URL: 'redis://u:hunter2@u' }, set: ['redis_db=x'] });
  t.regex(wrong, /^redis_/);
  t.notRegex(wrong, /hunter2/);

  t.deepEqual(
    problemsOf(t, { set: ['redis_url=rediss://u:hunter2@h', 'redis_user=v', 'redis_password=x', 'redis_tls=no'] }),
    [
      'redis_user contradicts redis_url: set only one of them (command line, command line)',
      'redis_password contradicts redis_url: set only one of them (command line, command line)',
      'redis_tls contradicts redis_url: set only one of them (command line, command line)',
    ],
  );
  const same = loadFlags({ set: ['redis_url=redis://u@h', 'redis_password=p', 'redis_tls=yes'] });
  t.like(connectionOptions(same.flags).options, { username: 'u', password: 'p', tls: {} });
});

test('of fake_storage and the driver and target of a stronger source the latter count', async (t) => {
  const fake = await fileWith(t, 'fake_storage = yes\n');
  const real = loadFlags({ file: fake, set: ['volume_driver=file'] });
  t.is(real.backends[0].name, 'file');
  t.is(
    real.origins.fake_storage,
    `default; its value (file ${fake} line 1) is overridden by volume_driver (command line)`,
  );
  const file = await fileWith(t, 'volume_driver = lvm\nvolume_target = aoe\n');
  t.is(loadFlags({ file, argv: ['--fake_storage'] }).backends[0].name, 'fake');
  t.regex(loadFlags({ file, argv: ['--fake_storage'] }).origins.volume_target, /overridden by fake_storage/);
  t.deepEqual(problemsOf(t, { argv: ['--fake_storage', '--volume_driver=lvm', '--volume_target=none'] }), [
    'fake_storage contradicts volume_driver: set only one of them (command line, command line)',
  ]);
});

test('every flag has one value, however it is given', async (t) => {
  for (const name of flagNames) {
    const value = String(definitions[name].initial());
    if (value === '') continue;
    const dashes = name.replaceAll('_', '-');
    const ways = [
      { argv: [`--${dashes}=${value}`] },
      { set: [`${name}=${value}`] },
      { env: { [`BLOCKSTORE_${name.toUpperCase()}`]: value } },
      { file: await fileWith(t, `${name} = "${value}" # comment\r\n`) },
    ];
    for (const way of ways) {
      const { flags, origins } = loadFlags(way);
      t.deepEqual(flags[name], definitions[name].initial(), name);
      t.regex(origins[name], /^(command line|environment|file)/, name);
    }
  }
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

test('an address with a password that is given to another flag is shown without it', (t) => {
  for (const name of ['redis_host', 'redis_port', 'redis_sentinels', 'redis_cluster', 'report_interval']) {
    for (const address of ['redis://user:hun@ter2@host', 'user:hunter2@host', 'redis://:hunter2@host:1/2']) {
      const problems = problemsOf(t, { set: [`${name}=${address}`] });
      t.regex(problems[0] ?? '', new RegExp(`^${name} = "\\*\\*\\*@host`));
      t.notRegex(problems.join('\n'), /hun|ter2/);
    }
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
    'redis_host=a,b',
  ]) {
    t.regex(problemsOf(t, { set: [pair] })[0] ?? '', /must be .*host/, pair);
  }
});

test('the password in a URL is a secret in each of its forms', (t) => {
  const loaded = loadFlags({ set: ['redis_url=redis://u:p%40ss@h'] });
  t.deepEqual(secretsOf(loaded), ['redis://u:p%40ss@h', 'p%40ss', 'p@ss']);
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
