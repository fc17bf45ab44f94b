import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import { readMachineId } from '../../lib/machine.ts';

test('a machine has an id that does not reveal its machine-id, and a new boot id after each boot', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-machine-'));
  t.teardown(() => rm(directory, { recursive: true }));
  const files = { machineId: join(directory, 'machine-id'), bootId: join(directory, 'boot_id') };
  t.deepEqual(await readMachineId(files), { machine: '', boot: '' });
  const ids = ['3d1219c7c4c5404aaa1f6d2a48adfda4', '3d1219c7c4c5404aaa1f6d2a48adfda5'];
  await writeFile(files.bootId, '0a1b2c3d-0000-4000-8000-000000000000\n');
  const machines: string[] = [];
  for (const id of ids) {
    await writeFile(files.machineId, `${id}\n`);
    const { machine, boot } = await readMachineId(files);
    t.regex(machine, /^[0-9a-f]{32}$/);
    t.false(ids.includes(machine));
    t.is(boot, '0a1b2c3d000040008000000000000000');
    machines.push(machine);
  }
  t.is(new Set(machines).size, 2);
  for (const invalid of ['', 'uninitialized\n', '0'.repeat(32)]) {
    await writeFile(files.machineId, invalid);
    t.is((await readMachineId(files)).machine, '');
  }
});
