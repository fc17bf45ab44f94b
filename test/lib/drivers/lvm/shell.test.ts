import test from 'ava';
import { ShellLvm } from '../../../../lib/drivers/lvm/shell.ts';
import { until } from '../../../support/until.ts';
import { FakePath, isRunning } from './fake-path.ts';

function make(): { lvm: ShellLvm; processes: FakePath } {
  const processes = new FakePath();
  return { processes, lvm: new ShellLvm(processes, '/nowhere') };
}

test('one shell runs many commands in order', async (t) => {
  const { lvm, processes } = make();
  const asked = Array.from({ length: 20 }, (_, number) => `command${number}`);
  const answers = await Promise.all(asked.map((name) => lvm.command([name, 'x'])));
  t.deepEqual(
    answers.map(({ rows }) => rows),
    asked.map((name) => [{ lv_name: `${name} x` }]),
  );
  t.is(processes.residents.length, 1);
  await lvm.close();
});

test('an urgent command does not wait for those before it', async (t) => {
  const { lvm } = make();
  const ended: string[] = [];
  const ask = async (name: string, more = {}) => {
    await lvm.command([name], more);
    ended.push(name);
  };
  const many = Array.from({ length: 10 }, (_, number) => `command${number}`);
  await Promise.all([...many.map((name) => ask(name)), ask('urgent', { urgent: true })]);
  t.deepEqual(ended, [many[0], 'urgent', ...many.slice(1)]);
  await lvm.close();
});

test('additional output and split reports are accepted', async (t) => {
  const { lvm, processes } = make();
  t.deepEqual((await lvm.command(['noisy'])).rows, [{ lv_name: 'before' }]);
  t.deepEqual(await lvm.command(['slowly']), { status: 0, rows: [], reported: false, messages: [] });
  t.is(processes.residents.length, 1);
  await lvm.close();
});

test('a failed command returns its status and messages', async (t) => {
  const { lvm } = make();
  t.deepEqual(await lvm.command(['fail']), {
    status: 5,
    rows: [],
    reported: false,
    messages: ['Volume group "g" not found'],
  });
  await lvm.close();
});

for (const [word, reason] of [
  ['die', /lvm ended/],
  ['hang', /nothing within 0.3 s/],
  ['unreadable', /cannot be read/],
] as const) {
  test(`a shell that meets "${word}" interrupts that command alone, is ended, and is replaced`, async (t) => {
    const { lvm, processes } = make();
    await lvm.command(['first']);
    const interrupted = lvm.command([word], { timeoutMs: word === 'hang' ? 300 : 5000 });
    const next = lvm.command(['next']);
    await t.throwsAsync(interrupted, { code: 'LvmInterrupted', message: reason });
    t.deepEqual((await next).rows, [{ lv_name: 'next' }]);
    t.is(processes.residents.length, 2);
    await until(() => !isRunning(processes.residents[0] ?? 0), 'the first shell is gone');
    await lvm.close();
  });
}

test('an unexpected report is not returned for the next command', async (t) => {
  const { lvm, processes } = make();
  t.deepEqual((await lvm.command(['twice'])).rows, [{ lv_name: 'first' }]);
  await until(() => !isRunning(processes.residents[0] ?? 0), 'the shell is gone');
  t.deepEqual((await lvm.command(['third'])).rows, [{ lv_name: 'third' }]);
  await lvm.close();
});

test('a command cancelled while it waits never runs', async (t) => {
  const { lvm } = make();
  const cancel = new AbortController();
  const first = lvm.command(['slowly']);
  const second = lvm.command(['second'], { signal: cancel.signal });
  const third = lvm.command(['third']);
  cancel.abort();
  await t.throwsAsync(second, { name: 'AbortError' });
  await first;
  t.deepEqual((await third).rows, [{ lv_name: 'third' }]);
  await lvm.close();
});

test('arguments that the shell would split or treat as a comment are refused', async (t) => {
  const { lvm, processes } = make();
  for (const odd of ['a b', "it's", '#tag', 'a\nb', '']) {
    await t.throwsAsync(lvm.command(['lvs', odd]), { code: 'InvalidArgument' });
  }
  t.deepEqual(processes.residents, []);
});

test('close ends an idle or hanging shell, and can be called twice', async (t) => {
  const { lvm, processes } = make();
  await lvm.command(['first']);
  await lvm.close();
  await lvm.close();
  t.false(isRunning(processes.residents[0] ?? 0));
  await t.throwsAsync(lvm.command(['late']), { code: 'LvmInterrupted' });
  await make().lvm.close();
});
