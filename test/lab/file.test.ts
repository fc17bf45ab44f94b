import test from 'ava';
import { Lab } from './lab.ts';

for (const [name, format] of [
  ['XFS', 'mkfs.xfs -q'],
  ['btrfs', 'mkfs.btrfs -q'],
] as const) {
  test.serial(
    `the driver file on ${name} shares blocks: it copies volumes that are written to, at one moment`,
    async (t) => {
      const lab = await Lab.create({ diskGiB: 4 });
      t.teardown(() => lab.close());
      const node = lab.node(1);
      await node.sh(
        `modprobe ${name.toLowerCase()} && ${format} /dev/ubda && mkdir /run/pool && mount /dev/ubda /run/pool`,
      );
      const { output, status } = await node.run('node test/lab/file-cases.ts /run/pool', { timeoutMs: 900_000 });
      t.log(output);
      t.is(status, 0);
      t.notRegex(output, /^not ok/m);
      t.regex(output, /^ok /m);
    },
  );
}
