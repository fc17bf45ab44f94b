import test from 'ava';
import { runCheck } from '../../cli/doctor/run-check.ts';
import { BlockstoreError, errors } from '../../lib/errors.ts';

test('no hint of doctor leads to doctor', async (t) => {
  const thrown = [
    errors.answerUnreadable('virsh list', 'x'),
    errors.exportFailed('v', 'x'),
    errors.discoveryFailed('eth0', 'x'),
    errors.lvmFailed('pvs', 'x'),
    errors.lvmInterrupted('pvs', 'x'),
  ];
  for (const error of thrown) {
    const [finding] = await runCheck(async () => {
      throw error;
    });
    t.is(finding?.level, 'bad');
    t.is(finding?.message, error.message);
    t.truthy(finding?.hint);
    t.notRegex(finding?.hint ?? '', /doctor/, error.code);
  }
});

test('a finding has a line of the error each, with its hint', async (t) => {
  const findings = await runCheck(async () => {
    throw new BlockstoreError('X', 'failed', 'one\ntwo', 'do this');
  });
  t.deepEqual(findings, [
    { level: 'bad', message: 'one', hint: 'do this' },
    { level: 'bad', message: 'two', hint: 'do this' },
  ]);
});
