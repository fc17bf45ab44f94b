import { crashTests } from './tests.ts';

await crashTests('file', ['start', 'first-start']);
