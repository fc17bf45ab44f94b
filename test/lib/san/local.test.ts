import test from 'ava';
import { LocalShell } from '../../../lib/san/local-shell.ts';
import { posixLine } from '../../../lib/san/quoting.ts';
import { ChildProcesses } from '../../../lib/process.ts';

const shell = new LocalShell(new ChildProcesses(), { shown: (words) => words.join(' ') });

test('a command of this host gives its output and exit code, also when it fails', async (t) => {
  t.deepEqual(await shell.run(['printf', 'a\\nb\\n']), { stdout: 'a\nb\n', stderr: '', exitCode: 0 });
  t.deepEqual(await shell.run(['true']), { stdout: '', stderr: '', exitCode: 0 });
  t.deepEqual(await shell.run(['sh', '-c', 'echo no >&2; exit 3']), { stdout: '', stderr: 'no', exitCode: 3 });
  await t.throwsAsync(shell.run(['no-such-command']), { code: 'CommandNotFound' });
  await t.throwsAsync(shell.run(['sleep', '60'], { timeoutMs: 50 }), { code: 'SanInterrupted' });
  await t.throwsAsync(shell.run(['sleep', '60'], { signal: AbortSignal.abort(new Error('lost')) }), {
    message: 'lost',
  });
});

test('a real shell passes on each word as it was given', async (t) => {
  const odd = [
    '',
    ' ',
    "it's",
    `"'"'`,
    '$HOME',
    '`id`',
    '$(id)',
    ';x',
    '&& x',
    '| y',
    '> z',
    '*',
    '~',
    '#',
    '!',
    '\\',
    'ä€😀',
    '-rf',
    '{a,b}',
    '(',
  ];
  const line = posixLine(['printf', '%s\\n', ...odd]);
  const { stdout } = await shell.run(['sh', '-c', line]);
  t.is(stdout, odd.map((word) => `${word}\n`).join(''));
});
