import all from '../ava.config.js';
import { longestFirst } from './longest-first.js';
import { realComponents } from './real-components.js';

/** The inner loop: without what starts daemons, command lines, packages or machines. */
export default {
  ...all,
  concurrency: 14, // most of them wait
  sortTestFiles: longestFirst('connection', 'task-loss', 'upkeep', 'redis-loss', 'conformance', 'network-down'),
  files: [
    'test/lib/**/*.test.ts',
    'test/services/**/*.test.ts',
    'test/support/**/*.test.ts',
    '!test/services/daemon/**',
    ...realComponents.map((files) => `!${files}`),
  ],
};
