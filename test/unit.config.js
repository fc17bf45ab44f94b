import all from '../ava.config.js';

/** The inner loop: without what starts daemons, command lines, packages or machines. */
export default {
  ...all,
  concurrency: 10, // most of them wait
  files: [
    'test/lib/**/*.test.ts',
    'test/services/**/*.test.ts',
    'test/support/**/*.test.ts',
    '!test/services/daemon/**',
  ],
};
