import all from '../../ava.config.js';
import { longestFirst } from '../longest-first.js';

export default {
  ...all,
  concurrency: 2, // machines wait for nothing but the processor
  files: ['test/lab/**/*.test.ts'],
  sortTestFiles: longestFirst('lvm', 'crash-sample', 'chaos', 'deb', 'daemon-outage'),
  timeout: '20m',
};
