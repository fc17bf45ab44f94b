import test from 'ava';
import { Lab } from './lab.ts';
import { missingForLio } from './requirements.ts';

/** The kernel's iSCSI target (LIO) on a lab machine, with hosts by libiscsi on the same machine; see lio-cases.ts. */

const onLab = (await missingForLio()) === undefined ? test : test.skip;

onLab('the target iscsi-lio on the kernel', async (t) => {
  t.timeout(20 * 60_000);
  const lab = await Lab.create();
  t.teardown(() => lab.close());
  const { status, output } = await lab.node(1).run('node test/lab/lio-cases.ts /dev/ubda', { timeoutMs: 18 * 60_000 });
  t.log(output);
  t.is(status, 0, output);
});
