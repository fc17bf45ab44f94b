import all from '../ava.config.js';

/** Drivers, targets and connectors, with variables in the environment that change what tools print and do. */
export default {
  ...all,
  require: [...all.require, './test/support/hostile-environment.ts'],
  files: ['test/lib/{connectors,devices,drivers,targets}/**/*.test.ts', 'test/faults/**/*.test.ts'],
};
