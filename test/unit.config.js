/** The inner loop: without what starts daemons, command lines, packages or machines. */
export default {
  files: ['test/lib/**/*.test.ts', 'test/services/**/*.test.ts', '!test/lib/cli/**', '!test/services/daemon/**'],
  extensions: ['ts'],
  workerThreads: false,
  concurrency: 2,
  timeout: '60s',
};
