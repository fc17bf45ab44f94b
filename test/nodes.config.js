import all from '../ava.config.js';
import { longestFirst } from './longest-first.js';
import { notInInnerLoop } from './not-in-inner-loop.js';

/** Whole nodes in the process of the test, on a real Redis. */
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
  files: ['test/services/node/**/*.test.ts', ...notInInnerLoop.map((files) => `!${files}`)],
};
