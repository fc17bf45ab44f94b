import test from 'ava';
import { ForkedLvm } from '../../../../lib/drivers/lvm/forked.ts';
import { FakePath } from './fake-path.ts';

const lvm = new ForkedLvm(new FakePath(), 'settings');

test('a command is a process, and additional output is ignored', async (t) => {
  t.deepEqual((await lvm.command(['first', 'x'])).rows, [{ lv_name: 'first x' }]);
  t.deepEqual((await lvm.command(['noisy'])).rows, [{ lv_name: 'before' }]);
});

test('a failed command returns its status and messages', async (t) => {
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

test('a failure before LVM runs is not a result of LVM', async (t) => {
  await t.throwsAsync(lvm.command(['refused']), {
    code: 'LvmFailed',
    message: '"refused" failed: sudo: a password is required',
  });
});
