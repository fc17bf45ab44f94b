import all from '../ava.config.js';
import { longestFirst } from './longest-first.js';
import { notInInnerLoop } from './not-in-inner-loop.js';

/** The API over nodes in the process of the test, its clients, and metrics. Other than nodes, these seldom wait. */
export default {
  ...all,
  concurrency: 3,
  sortTestFiles: longestFirst('python-clients-data', 'python-clients-cluster', 'python-clients', 'openapi'),
  files: ['test/services/{api,monitoring}/**/*.test.ts', ...notInInnerLoop.map((files) => `!${files}`)],
};
