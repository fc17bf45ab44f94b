import test from 'ava';
import { FakeSheepdog } from '../../../support/fake-sheepdog.ts';
import { cases } from '../conformance.ts';

for (const { title, run } of cases) {
  test(`sheepdog: ${title}`, async (t) => {
    const copies = 2;
    const cluster = await FakeSheepdog.start(copies * 2.5 * 2 ** 30, copies);
    const driver = cluster.driver(copies);
    await driver.setup();
    await t.notThrowsAsync(run({ driver, sizeGiB: 2 }));
    await driver.close();
    t.is(await cluster.violations(), '');
  });
}
