import test from 'ava';
import { FakeSheepdog } from '../../../support/fake-sheepdog.ts';
import { someCasesOf } from '../run-cases.ts';

const copies = 2;
const any = await FakeSheepdog.start(copies, copies);
const imageOf = (path: string) => path.slice(path.lastIndexOf(':') + 1);

for (const { title, run } of someCasesOf(any.driver(copies))) {
  test(`sheepdog: ${title}`, async (t) => {
    const cluster = await FakeSheepdog.start(copies * 2.5 * 2 ** 30, copies);
    const driver = cluster.driver(copies);
    await driver.setup();
    const write = (path: string, offset: number, bytes: Uint8Array) =>
      cluster.write(imageOf(path), offset, Buffer.from(bytes).toString());
    const read = async (path: string, offset: number, length: number) =>
      Buffer.from(await cluster.read(imageOf(path), offset, length));
    await t.notThrowsAsync(run({ driver, sizeGiB: 2, write, read }));
    await driver.close();
    t.is(await cluster.violations(), '');
  });
}
