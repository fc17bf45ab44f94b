import test from 'ava';
import { taskKinds } from '../../lib/models/task.ts';
import { scenes } from './scenes.ts';
import { sampledCrashTests } from './tests.ts';

test('every operation of a command has a crash scene', (t) => {
  t.deepEqual(
    taskKinds.filter((name) => !Object.hasOwn(scenes, name)),
    [],
  );
});

await sampledCrashTests('host', { operations: 8, points: 6 });
