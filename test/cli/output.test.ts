import test from 'ava';
import { CliPlace } from './place.ts';

let place: CliPlace;
test.before(async () => {
  place = await CliPlace.start();
});
test.after.always(() => place.close());

test('output that cannot be written is one line and exit code 1', async (t) => {
  for (const to of ['>/dev/full', '>&-']) {
    const { exitCode, stdout, stderr } = await place.shell(`blockstore --help ${to}`);
    t.is(exitCode, 1, to);
    t.is(stdout, '');
    t.regex(stderr, /^blockstore: the output could not be written: [^\n]+\n?$/, to);
  }
  t.is((await place.shell('blockstore --help | head -n 1')).exitCode, 0);
  t.is((await place.shell('blockstore --help >/dev/null')).exitCode, 0);
});

test('help is a command, too', async (t) => {
  const { stdout } = await place.run('volume', 'create', '--help');
  for (const words of [
    ['help', 'volume', 'create'],
    ['volume', 'help', 'create'],
  ]) {
    t.like(await place.run(...words), { exitCode: 0, stdout }, words.join(' '));
  }
  t.regex((await place.run('help')).stdout, /^Usage: blockstore \[options\] \[command\]/);
  t.regex((await place.run('volume', 'help')).stdout, /^Usage: blockstore volume /);
});
