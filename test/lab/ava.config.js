import all from '../../ava.config.js';
import { longestFirst } from '../longest-first.js';

export default {
  ...all,
  concurrency: 3, // on two processors: a third of the time its machines wait
  files: ['test/lab/**/*.test.ts'],
  sortTestFiles: longestFirst(
    'backends',
    'guest',
    'lio',
    'hostile-host',
    'lvm',
    'connect',
    'crash-sample',
    'chaos',
    'deb',
  ),
  timeout: '20m',
};
