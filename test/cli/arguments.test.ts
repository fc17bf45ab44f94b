import test from 'ava';
import { isPrintable } from '../../lib/printable.ts';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

for (const [size, shown] of [
  ['ten', '"ten"'],
  ['-1', '-1'],
  ['1.5', '1.5'],
  ['1001', '1001'],
  ['', '""'],
] as const) {
  test.serial(`size ${shown} is refused with the value in the message`, async (t) => {
    const { exitCode, stdout, stderr } = await place.run('volume', 'create', size);
    t.is(exitCode, 2);
    t.is(stdout, '');
    t.regex(
      stderr,
      new RegExp(`^blockstore: size ${shown} is not a whole number of GiB from 0 to 1000\n  give whole GiB`),
    );
  });
}

test.serial('a size is accepted before and after options, negative ones included', async (t) => {
  const { exitCode, stderr } = await place.run('volume', 'create', '--name', 'x', '-1', '--json');
  t.is(exitCode, 2);
  t.like(JSON.parse(stderr), { error: { code: 'InvalidSize', kind: 'invalid' } });
});

test.serial('a usage error names the help of the command', async (t) => {
  const { exitCode, stderr } = await place.run('volume', 'creat', '3');
  t.is(exitCode, 2);
  t.regex(stderr, /unknown command 'creat' \(Did you mean create\?\)\n  see "blockstore volume --help"/);
  for (const words of [
    ['volume', 'creat', '--help'],
    ['--json', 'volume', 'creat', '-h'],
    ['help', 'volume', 'creat'],
  ]) {
    const help = await place.run(...words);
    t.is(help.exitCode, 2, words.join(' '));
    t.regex(help.stderr, /unknown command 'creat' \(Did you mean create\?\)/);
    t.is(help.stdout, '');
  }
  const missing = await place.run('volume', 'show');
  t.is(missing.exitCode, 2);
  t.regex(missing.stderr, /missing required argument 'volume'\n  see "blockstore volume show --help"/);
  const json = await place.run('volume', 'list', '--nonsense', '--json');
  t.like(JSON.parse(json.stderr), { error: { code: 'InvalidArgument', kind: 'invalid' } });
});

for (const [args, message] of [
  [['create', '1', '--timeout', '0'], 'timeout "0" is not a number of seconds greater than 0'],
  [['create', '1', '--id', 'abc'], 'id "abc" is not a UUID'],
  [['create', '1', '--name', 'a\nb'], 'name "a\\nb" is not 1 to 255 printable characters'],
  [['create', '1', '--name', '\u202Ea'], 'name "\\u{202e}a" is not 1 to 255 printable characters'],
  [
    ['create', '1', '--name', '0123abcd-0000-4000-8000-000000000001'],
    'name "0123abcd-0000-4000-8000-000000000001" is not',
  ],
  [['create', '1', '--user', 'ü'.repeat(200)], `user "${'ü'.repeat(40)}…" is not 1 to 255 bytes long`],
  [['create', '1', '--project', ''], 'project "" is not 1 to 255 bytes long'],
  [['attach', 'v', '--instance', 'a\u001B[2J'], 'instance "a\\u001b[2J" is not 1 to 255 printable characters'],
  [['list', '--limit', '0'], 'limit "0" is not a whole number of at least 1'],
  [['list', '--status', 'fine'], 'status "fine" is not one of creating, available'],
  [['list', '--marker', 'x'], 'marker "x" is not the marker of an earlier list'],
  [['wait', 'v', '--status', 'fine'], 'status "fine" is not one of creating, available'],
  [
    ['attach', 'v', '--instance', 'i', '--mountpoint', '/dev/vdb', '--mac', '1:2'],
    'Ethernet address "1:2" is not of the form',
  ],
  [
    ['attach', 'v', '--instance', 'i', '--mountpoint', '/dev/vdb', '--mac', 'ff:ff:ff:ff:ff:ff'],
    'Ethernet address "ff:ff:ff:ff:ff:ff" is not the address of one machine',
  ],
  [['attach', 'v', '--instance', 'i'], 'option "--mountpoint <device>" is missing'],
  [['attach', 'v', '--mountpoint', '/dev/vdb'], 'one of the options "--instance <instance>"'],
  [['attach', 'v', '--host-device', '--no-wait'], '--host-device and --domain need the attachment'],
  [
    ['create', '1', '--meta', 'tier=a', '--meta', 'tier=b'],
    'metadata "tier" is given twice, as "a" and "b"\n  give each',
  ],
  [['update', 'v', '--meta', 'a=1', '--meta', 'b=1', '--meta', 'a='], 'metadata "a" is given twice, as "1" and ""\n'],
  [
    ['update', 'v', '--meta', 'tier=a', '--unset-meta', 'tier'],
    'metadata "tier" is to be set to "a" and to be removed\n  give one of --meta and --unset-meta',
  ],
] as const) {
  test.serial(`refused before Redis is contacted: volume ${args.join(' ')}`, async (t) => {
    const { exitCode, stderr } = await place.run('volume', ...args, '--redis-url', 'unix:/nosuch');
    t.is(exitCode, 2);
    t.true(stderr.startsWith(`blockstore: ${message}`), stderr);
  });
}

test.serial(
  'every text that others see is refused before Redis is contacted where it could control a terminal',
  async (t) => {
    const attach = ['volume', 'attach', 'v', '--instance', 'i', '--mountpoint', '/dev/vdb'];
    const create = ['volume', 'create', '1'];
    for (const [command, option] of [
      [create, '--name'],
      [create, '--user'],
      [create, '--project'],
      [attach, '--instance'],
      [attach, '--host'],
      [attach, '--mountpoint'],
    ] as const) {
      for (const text of ['', ' ', '\u001B[2J', 'a\nb', 'a\u202Eb', '\u3164', 'x'.repeat(256)]) {
        const { exitCode, stderr } = await place.run(...command, `${option}=${text}`, '--redis-url', 'unix:/nosuch');
        t.is(exitCode, 2, `${option} ${JSON.stringify(text)}: ${stderr}`);
        t.true(stderr.split('\n').every(isPrintable), option);
      }
    }
  },
);

test.serial('a key that is given twice is refused by every command that takes keys', async (t) => {
  const create = ['type', 'create', 'fast'];
  for (const [command, option, what] of [
    [create, '--require', 'requirement'],
    [create, '--meta', 'metadata'],
    [['type', 'update', 'fast'], '--require', 'requirement'],
    [['snapshot', 'create', 'data'], '--meta', 'metadata'],
    [['snapshot', 'update', 'early'], '--meta', 'metadata'],
  ] as const) {
    const twice = [option, 'backend=a', option, 'pool=c', option, 'backend=b'];
    const { exitCode, stderr } = await place.run(...command, ...twice, '--redis-url', 'unix:/nosuch');
    t.is(exitCode, 2);
    t.is(stderr, `blockstore: ${what} "backend" is given twice, as "a" and "b"\n  give each key once`);
  }
});

test.serial('every command has help with an example, and the program lists its exit codes', async (t) => {
  const commands = ['create', 'list', 'show', 'attach', 'detach', 'delete', 'wait'].map((name) => ['volume', name]);
  for (const command of [...commands, ['node', 'list'], ['node', 'show'], ['status'], ['doctor'], ['completion']]) {
    const { exitCode, stdout } = await place.run(...command, '--help');
    t.is(exitCode, 0);
    t.regex(stdout, new RegExp(`Examples?:\n  blockstore ${command.join(' ')}`));
    t.regex(stdout, /--json/);
  }
  const { stdout } = await place.run('--help');
  t.regex(stdout, /Exit codes:\n  0 +success\n/);
  t.notRegex(stdout, /__complete/);
});

test.serial('--version prints the version', async (t) => {
  t.regex((await place.run('--version')).stdout, /^\d+\.\d+\.\d+$/);
});
