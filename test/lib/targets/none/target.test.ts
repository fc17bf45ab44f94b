import test from 'ava';
import { drivers } from '../../../../lib/drivers/registry.ts';
import { NoneTarget } from '../../../../lib/targets/none/target.ts';
import { targets } from '../../../../lib/targets/registry.ts';

test('the target none exports nothing and never fails', async (t) => {
  const target = new NoneTarget();
  await target.setup();
  await target.ensureExport({ id: 'v1', path: '/nowhere', address: '', readOnly: false, hosts: [] });
  t.deepEqual(await target.listExports(), []);
  await target.removeExport('v1');
  await target.close();
});

/** It leaves storage alone, as it never opens it: whose volumes these are makes no difference. */
test('the target none takes volumes of every driver, and has no address, secret, endpoint or trace for them', async (t) => {
  const local = '/dev/nova-volumes/volume-1';
  for (const path of [local, '/srv/volumes/volume-1', 'rbd:rbd/volume-1', '/dev/zvol/rdsk/tank/volume-1', 'volume-1']) {
    const target = new NoneTarget();
    await target.setup();
    const spec = { id: 'v1', path, address: '', readOnly: true, hosts: ['52:54:00:00:00:01'] };
    await target.ensureExport(spec);
    await target.resizeExport(spec);
    const { addressing, authentication, endpoint } = target;
    t.deepEqual({ addressing, authentication, endpoint }, { addressing: 'none', authentication: 'none', endpoint: '' });
    t.deepEqual([await target.listExports(), await target.listTraces(), target.problems()], [[], [], []]);
    await target.close();
  }
});

test('drivers with local paths work with any target of the node, others with their own, and each with none', (t) => {
  const names = targets.map(({ name }) => name);
  const local = names.filter((target) => !drivers.some(({ name }) => name === target));
  for (const driver of drivers) {
    const own: readonly string[] | undefined = 'targets' in driver ? driver.targets : undefined;
    const possible = targets.filter((target) => {
      const only: readonly string[] | undefined = 'drivers' in target ? target.drivers : undefined;
      return own?.includes(target.name) !== false && only?.includes(driver.name) !== false;
    });
    const expected = own === undefined ? local : [driver.name, 'none'];
    t.deepEqual(
      possible.map(({ name }) => name),
      expected,
      driver.name,
    );
  }
});
