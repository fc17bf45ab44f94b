import { cases } from '../conformance.ts';
import { newPool, real } from './pools.ts';

for (const { title, run } of cases) {
  real(`on a real Ceph: ${title}`, async (t) => {
    const driver = await newPool();
    await t.notThrowsAsync(run({ driver, sizeGiB: 2 }));
    await driver.close();
  });
}
