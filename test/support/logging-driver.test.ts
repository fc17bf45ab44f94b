import test from 'ava';
import { spec } from '../lib/drivers/conformance.ts';
import { LoggingDriver } from './logging-driver.ts';

test('the logging driver logs each call with its parameters, also one that fails', async (t) => {
  const driver = new LoggingDriver();
  const [volume, other] = [spec({ size: 2 }), spec()];
  await driver.setup();
  await driver.createVolume(volume);
  await driver.createVolume(other);
  await t.throwsAsync(driver.ensureVolume(spec()), { code: 'StorageMissing' });
  await driver.deleteVolume(volume);
  t.deepEqual(
    driver.allLogs.map(({ action }) => action),
    ['setup', 'createVolume', 'createVolume', 'ensureVolume', 'deleteVolume'],
  );
  t.deepEqual(driver.logsLike('createVolume', { size: 2, labels: volume.labels }), [
    { action: 'createVolume', parameters: volume },
  ]);
  t.is(driver.logsLike('createVolume').length, 2);
  t.deepEqual(driver.logsLike('deleteVolume', { id: other.id }), []);
  driver.clearLogs();
  t.deepEqual(driver.allLogs, []);
});
