export default {
  files: ['test/lab/**/*.test.ts'],
  extensions: ['ts'],
  workerThreads: false,
  concurrency: 1,
  timeout: '10m',
};
