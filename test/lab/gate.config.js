import { sample } from '../support/sample.ts';
import lab from './part.config.js';

/**
 * Files that take half a minute or more. The gate runs some of them, the part `lab` of `npm run test:all` each. Those
 * about hosts that must not get in are in every gate.
 */
const long = [
  'across-nodes',
  'all-slots',
  'aoe',
  'aoe-systemd',
  'backup',
  'chaos',
  'clone-beside-source',
  'connect',
  'daemon-outage',
  'deb',
  'disagreement',
  'encryption',
  'extend',
  'failure-scenarios',
  'file',
  'forced-detach',
  'grow',
  'interface',
  'iscsi',
  'iscsi-disk',
  'iscsi-lio',
  'lio',
  'migration',
  'os-brick',
  'power-loss',
  'rbd',
  'redis-lost',
  'snapshots',
];
const atOnce = 1;
const chosen = sample('lab files', long, atOnce, (name) => name);

/** One file more takes no longer: the commit chooses, see test/support/sample.ts. */
export default {
  ...lab,
  files: [...lab.files, ...long.filter((name) => !chosen.includes(name)).map((name) => `!test/lab/${name}.test.ts`)],
};
