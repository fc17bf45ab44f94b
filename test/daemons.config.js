import all from '../ava.config.js';
import { notInInnerLoop } from './not-in-inner-loop.js';

/** Daemons, command lines, packages and real components, as processes on one machine. */
export default {
  ...all,
  files: [
    'test/{bin,cli,docs,etc,faults,redis,tools}/**/*.test.ts',
    'test/services/daemon/**/*.test.ts',
    ...notInInnerLoop,
  ],
};
