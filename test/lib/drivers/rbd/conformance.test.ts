import { someCasesOf } from '../run-cases.ts';
import { driverOn, newPool, real, startCeph } from './pools.ts';

startCeph();

for (const { title, run } of someCasesOf(driverOn({ conf: '' }))) {
  real(`on a real Ceph: ${title}`, async (t) => {
    const driver = await newPool();
    await t.notThrowsAsync(run({ driver, sizeGiB: 2 }));
    await driver.close();
  });
}
