import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

test('output that cannot be written is one line and exit code 1', async (t) => {
  for (const command of [
    'blockstore --help',
    'blockstore status',
    'blockstore volume list --json',
    'blockstore completion bash',
    'blockstored --help',
    'blockstored --version',
    'blockstored --print-config',
  ]) {
    for (const to of ['>/dev/full', '>&-']) {
      const { exitCode, stdout, stderr } = await place.shell(`${command} ${to}`);
      t.is(exitCode, 1, `${command} ${to}`);
      t.is(stdout, '');
      if (command.includes('--json') && to !== '>&-') t.like(JSON.parse(stderr), { error: { code: 'OutputFailed' } });
      else t.regex(stderr, /^blockstored?: the output could not be written: [^\n]+\n?(  [^\n]+)?$/, command);
    }
    t.is((await place.shell(`set -o pipefail; ${command} | true`)).exitCode, 0, command);
    t.is((await place.shell(`${command} >/dev/null`)).exitCode, 0);
  }
});

test('messages that cannot be written change no result', async (t) => {
  for (const to of ['2>/dev/full', '2>&-', '2> >(true)']) {
    t.like(await place.shell(`blockstore volume show nosuch ${to}`), { exitCode: 4, stdout: '' }, to);
    t.like(await place.shell(`blockstored --nonsense ${to}`), { exitCode: 2, stdout: '' }, to);
  }
});

test('help is a command, too', async (t) => {
  const { stdout } = await place.run('volume', 'create', '--help');
  for (const words of [
    ['help', 'volume', 'create'],
    ['volume', 'help', 'create'],
    ['--quiet', 'help', 'volume', 'create'],
    ['--config', '/nosuch', 'volume', '--json', 'help', 'create'],
  ]) {
    t.like(await place.run(...words), { exitCode: 0, stdout }, words.join(' '));
  }
  t.regex((await place.run('help')).stdout, /^Usage: blockstore \[options\] \[command\]/);
  t.regex((await place.run('help', 'help')).stdout, /^Usage: blockstore \[options\] \[command\]/);
  t.regex((await place.run('volume', 'help')).stdout, /^Usage: blockstore volume /);
  t.regex((await place.run('volume', 'show', 'help')).stderr, /volume help does not exist/);
  const unknown = await place.run('help', 'nosuch');
  t.is(unknown.exitCode, 2);
  t.regex(unknown.stderr, /unknown command 'nosuch'/);
  for (const word of ['help', '-h']) t.regex((await place.shell(`blockstored ${word}`)).stdout, /^blockstored \d/);
});

test('a word of a command line that can be a part of a secret is not printed', async (t) => {
  const { exitCode, stderr } = await place.shell('blockstored --redis_password my secret=x --nonsense=secret -x');
  t.is(exitCode, 2);
  t.regex(stderr, /unknown flag --nonsense /);
  const words = await place.shell('blockstored --redis_password my secret=x -x=secret --=secret');
  t.is(words.exitCode, 2);
  t.regex(words.stderr, /^blockstored: a word is not a flag, nor the value of one; quote values with spaces/);
  t.regex(words.stderr, /^blockstored: -x is not a flag/m);
  t.notRegex(stderr + words.stderr, /secret/);
});
