import test from 'ava';
import { Lab } from './lab.ts';

test('the LVM driver on real LVM', async (t) => {
  const lab = await Lab.create({ diskGiB: 4 });
  t.teardown(() => lab.close());
  const otherDisk = await lab.node(1).addDisk(1);
  const { output, status } = await lab
    .node(1)
    .run(`node test/lab/lvm-cases.ts /dev/ubda ${otherDisk}`, { timeoutMs: 1_000_000 });
  t.log(output);
  t.is(status, 0);
  t.notRegex(output, /^not ok/m);
  t.regex(output, /^ok lvm: a created volume is there/m);
});
