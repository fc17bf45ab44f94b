import test from 'ava';
import { taskKinds } from '../../lib/models/task.ts';
import { scenes } from './scenes.ts';
import { sampledCrashTests } from './tests.ts';

/** Few backends have them, or one alone does not do: tests of images, backups and migrations in services/ interrupt them. */
const elsewhere = new Set<string>(['upload', 'backup', 'migrate']);

test('every operation of a command has a crash scene', (t) => {
  t.deepEqual(
    taskKinds.filter((name) => !Object.hasOwn(scenes, name) && !elsewhere.has(name)),
    [],
  );
});

await sampledCrashTests('host', { operations: 3, points: 6 });
