import test from 'ava';
import { NoneTarget } from '../../../../lib/targets/none/target.ts';

test('the target none exports nothing and never fails', async (t) => {
  const target = new NoneTarget();
  await target.setup();
  await target.ensureExport({ id: 'v1', path: '/nowhere', address: '', readOnly: false, hosts: [] });
  t.deepEqual(await target.listExports(), []);
  await target.removeExport('v1');
  await target.close();
});
