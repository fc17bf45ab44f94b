import test from 'ava';
import { Lab } from './lab.ts';
import { missingForPairs } from './requirements.ts';

/** Every driver with local paths with every target that exports them; see pair-cases.ts. With words in ONLY, cases with them. */

const onLab = (await missingForPairs()) === undefined ? test.serial : test.serial.skip;
const only = process.env['ONLY'] ?? '';

for (const target of ['aoe', 'iscsi-tgt', 'iscsi-lio']) {
  for (const driver of ['file', 'thick', 'thin']) {
    onLab(`volumes of ${driver === 'file' ? driver : `${driver} lvm`} are exported by ${target}`, async (t) => {
      t.timeout(20 * 60_000);
      const lab = await Lab.create({ diskGiB: 4 });
      t.teardown(() => lab.close());
      const node = lab.node(1);
      const disk = await node.addDisk(2);
      // The kernel's initiator of AoE would answer what vblade announces on loopback.
      const prepare = `modprobe -r aoe; modprobe xfs && mkfs.xfs -q ${disk} && mkdir /run/files && mount ${disk} /run/files`;
      await node.sh(prepare);
      const program = `ONLY='${only}' node test/lab/pair-cases.ts ${driver} ${target} /dev/ubda /run/files`;
      const { status, output } = await node.run(program, { timeoutMs: 18 * 60_000 });
      t.log(output);
      t.is(status, 0, output);
      t.regex(output, /^ok /m);
    });
  }
}
