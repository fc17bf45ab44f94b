import all from '../ava.config.js';

/** What is drawn by the commit from a pool that takes hours: see test/support/sample.ts. */
export default {
  ...all,
  files: [
    'test/crash/**/*.test.ts',
    'test/model/**/*.test.ts',
    'test/simulation/**/*.test.ts',
    'test/damage/**/*.test.ts',
    'test/fuzz-api/**/*.test.ts',
  ],
};
