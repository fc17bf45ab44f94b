import test from 'ava';
import { taskKinds } from '../../lib/models/task.ts';
import { copyScenes } from './copy-scenes.ts';
import { scenes } from './scenes.ts';
import { sampledCrashTests } from './tests.ts';

test('every operation of a command has a crash scene', (t) => {
  t.deepEqual(
    taskKinds.filter((name) => !Object.hasOwn(scenes, name) && !Object.hasOwn(copyScenes, name)),
    [],
  );
});

await sampledCrashTests('host', { operations: 3, points: 6 });
