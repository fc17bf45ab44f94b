import { fileURLToPath } from 'node:url';

export default {
  files: ['test/**/*.test.ts', '!test/lab/**'],
  extensions: ['ts'],
  workerThreads: false,
  concurrency: 4, // on two processors: half of the time a test waits
  timeout: '5m', // a test waits for two minutes at most, on a busy machine
  require: ['./test/support/file-time.ts'],
  // Daemons and command lines that tests start take half the time where they need not be compiled each time.
  environmentVariables: {
    NODE_COMPILE_CACHE: fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url)),
  },
};
