import { crashTestsOfStates } from './tests.ts';

await crashTestsOfStates('file-aoe', ['start', 'first-start']);
