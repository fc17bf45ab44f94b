import test from 'ava';
import { operationNames } from '../../lib/models/transitions.ts';
import { scenes } from './scenes.ts';
import { allBut, crashTests } from './tests.ts';

test('every operation that a command can ask for is killed in its middle', (t) => {
  t.deepEqual(
    operationNames.filter((name) => !Object.hasOwn(scenes, name)),
    [],
  );
});

await crashTests('file', allBut('start', 'first-start'));
