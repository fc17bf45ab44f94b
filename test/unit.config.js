import all from '../ava.config.js';
import { longestFirst } from './longest-first.js';
import { notInInnerLoop } from './not-in-inner-loop.js';

/** The inner loop: without what starts daemons, command lines, packages or machines. */
export default {
  ...all,
  concurrency: 14, // most of them wait
  sortTestFiles: longestFirst(
    'upkeep',
    'addresses',
    'failures',
    'every-second',
    'foreign-addresses',
    'connections',
    'network-down',
  ),
  files: [
    'test/lib/**/*.test.ts',
    'test/services/**/*.test.ts',
    'test/support/**/*.test.ts',
    '!test/services/daemon/**',
    ...notInInnerLoop.map((files) => `!${files}`),
  ],
};
