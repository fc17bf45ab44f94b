import test from 'ava';
import { LefthandDriver } from '../../../lib/drivers/lefthand/driver.ts';
import { cliqDialect } from '../../../lib/san/lefthand/cliq.ts';
import { lefthandKind } from '../../support/fake-san/kinds.ts';
import { LefthandDevice } from '../../support/fake-san/lefthand-device.ts';
import { SanPlace } from '../../support/fake-san/place.ts';
import { faults } from '../../support/fake-san/ssh-stand-in.ts';
import { spec } from '../drivers/conformance.ts';
import { someCasesOf } from '../drivers/run-cases.ts';
import { DirectShell } from '../../support/fake-san/direct-shell.ts';

const options = { cluster: 'c1', thin: true, node: 'n1' };

const any = new LefthandDriver(new DirectShell(new LefthandDevice()), options);

for (const { title, run } of someCasesOf(lefthandKind(any, new LefthandDevice(), options))) {
  test(`LeftHand over SSH: ${title}`, async (t) => {
    const device = new LefthandDevice({ totalBytes: 2.5 * 2 ** 30 });
    const place = await SanPlace.create(device, { asks: true });
    t.teardown(() => place.remove());
    const driver = new LefthandDriver(place.shell(cliqDialect), options);
    await driver.setup();
    await t.notThrowsAsync(run({ ...lefthandKind(driver, device, options), sizeGiB: 2 }));
  });
}

test('an answer that is cut, has a banner, or is no answer is an error, never a shorter list', async (t) => {
  const place = await SanPlace.create(new LefthandDevice());
  t.teardown(() => place.remove());
  const driver = new LefthandDriver(place.shell(cliqDialect), { cluster: 'c1', thin: true, node: 'n1' });
  const volume = spec();
  await driver.createVolume(volume);
  for (const fault of [
    faults.half,
    faults.truncated,
    faults.firstLine,
    faults.banner,
    faults.errorWithoutCode,
    faults.refused,
    faults.cutAfter,
  ]) {
    place.server.give(fault);
    await t.throwsAsync(driver.hasVolume(volume));
  }
  t.true(await driver.hasVolume(volume));
});
