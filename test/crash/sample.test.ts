import test from 'ava';
import { taskKinds } from '../../lib/models/task.ts';
import { scenes } from './scenes.ts';
import { sampledCrashTests } from './tests.ts';

/** Few backends have it: services/node/images.test.ts interrupts it. */
const elsewhere = new Set<string>(['upload']);

test('every operation of a command has a crash scene', (t) => {
  t.deepEqual(
    taskKinds.filter((name) => !Object.hasOwn(scenes, name) && !elsewhere.has(name)),
    [],
  );
});

await sampledCrashTests('host', { operations: 4, points: 6 });
