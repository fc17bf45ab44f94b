export default {
  files: ['test/**/*.test.ts', '!test/lab/**'],
  extensions: ['ts'],
  workerThreads: false,
  concurrency: 2,
  timeout: '60s',
};
