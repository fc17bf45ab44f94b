import { someCasesOf } from '../run-cases.ts';
import { canRead, readBlock, writeBlock } from './data.ts';
import { driverOn, newPool, real, startCeph } from './pools.ts';

startCeph();

const blocks = canRead ? { write: writeBlock, read: readBlock } : {};

for (const { title, run } of someCasesOf(driverOn({ conf: '' }))) {
  real(`on a real Ceph: ${title}`, async (t) => {
    const driver = await newPool();
    await t.notThrowsAsync(run({ driver, sizeGiB: 2, ...blocks }));
    await driver.close();
  });
}
