import { allBut, crashTestsOfStates } from './tests.ts';

await crashTestsOfStates('file-aoe', allBut('start', 'first-start'));
