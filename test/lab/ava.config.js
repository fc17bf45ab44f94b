import all from '../../ava.config.js';

export default {
  ...all,
  concurrency: 2, // machines wait for nothing but the processor
  files: ['test/lab/**/*.test.ts'],
  timeout: '20m',
};
