import test from 'ava';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { FaultyDriver } from './faulty-driver.ts';
import { spec } from '../lib/drivers/conformance.ts';

test('a call fails once, another waits once, and the rest go through', async (t) => {
  const driver = new FaultyDriver(new FakeDriver());
  const volume = spec();
  driver.failOnce('createVolume', new Error('wanted'));
  await t.throwsAsync(driver.createVolume(volume), { message: 'wanted' });
  await driver.createVolume(volume);
  const release = driver.holdOnce('deleteVolume');
  const deleting = driver.deleteVolume(volume);
  t.true(await driver.hasVolume(volume));
  release();
  await deleting;
  t.false(await driver.hasVolume(volume));
});
