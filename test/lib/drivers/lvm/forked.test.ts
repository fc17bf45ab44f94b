import test from 'ava';
import { ForkedLvm } from '../../../../lib/drivers/lvm/forked.ts';
import { FakePath } from './fake-path.ts';

const lvm = new ForkedLvm(new FakePath(), 'settings');

test('a command is a process, and noise does no harm', async (t) => {
  t.deepEqual((await lvm.command(['first', 'x'])).rows, [{ lv_name: 'first x' }]);
  t.deepEqual((await lvm.command(['noisy'])).rows, [{ lv_name: 'before' }]);
});

test('a failed command is an answer, with its status and what was said', async (t) => {
  t.deepEqual(await lvm.command(['fail']), {
    status: 5,
    rows: [],
    reported: false,
    messages: ['Volume group "g" not found'],
  });
});

for (const word of ['die', 'hang', 'unreadable']) {
  test(`"${word}" interrupts that command alone`, async (t) => {
    await t.throwsAsync(lvm.command([word], { timeoutMs: 300 }), { code: 'LvmInterrupted' });
    t.deepEqual((await lvm.command(['next'])).rows, [{ lv_name: 'next' }]);
  });
}

test('what fails before LVM is not taken for an answer of it', async (t) => {
  await t.throwsAsync(lvm.command(['refused']), { code: 'CommandFailed', message: /a password is required/ });
});
