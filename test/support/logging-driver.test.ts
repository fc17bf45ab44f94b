import test from 'ava';
import { spec } from '../lib/drivers/conformance.ts';
import { resized, snapshotOf } from '../lib/drivers/subject.ts';
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

test('the logging driver logs extensions, clones and snapshots, and not what they call in turn', async (t) => {
  const driver = new LoggingDriver();
  const [volume, copy, restored] = [spec(), spec(), spec()];
  const snapshot = snapshotOf(volume);
  await driver.createVolume(volume);
  await driver.extendVolume(resized(volume, 1));
  await driver.cloneVolume(copy, volume);
  await driver.snapshots.createSnapshot(snapshot);
  t.true(await driver.snapshots.hasSnapshot(snapshot));
  await driver.snapshots.createFromSnapshot(restored, snapshot);
  t.is((await driver.snapshots.listSnapshots()).length, 1);
  await driver.snapshots.deleteSnapshot(snapshot);
  t.deepEqual(driver.allLogs, [
    { action: 'createVolume', parameters: volume },
    { action: 'extendVolume', parameters: resized(volume, 1) },
    { action: 'cloneVolume', parameters: { ...copy, source: volume } },
    { action: 'createSnapshot', parameters: snapshot },
    { action: 'hasSnapshot', parameters: snapshot },
    { action: 'createFromSnapshot', parameters: { ...restored, snapshot } },
    { action: 'listSnapshots', parameters: {} },
    { action: 'deleteSnapshot', parameters: snapshot },
  ]);
  t.is(driver.logsLike('cloneVolume', { source: volume }).length, 1);
});
