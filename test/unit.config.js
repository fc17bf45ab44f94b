import all from '../ava.config.js';
import { longestFirst } from './longest-first.js';
import { notInInnerLoop } from './not-in-inner-loop.js';

/** The inner loop: libraries, without what starts nodes, daemons, command lines, packages or machines. */
export default {
  ...all,
  concurrency: 6,
  sortTestFiles: longestFirst('first-connect', 'models/volume', 'drivers/file/driver', 'redis/connection'),
  files: ['test/lib/**/*.test.ts', 'test/support/**/*.test.ts', ...notInInnerLoop.map((files) => `!${files}`)],
};
