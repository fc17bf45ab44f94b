import daemons from './daemons.config.js';
import { sample } from './support/sample.ts';

/** Files about one driver or target with processes of its own. The gate runs some, the part `daemons` of `npm run test:all` each. */
const ofOneBackend = [
  'connectors/guest',
  'drivers/file/conformance',
  'drivers/file/snapshots',
  'drivers/rbd/capacity',
  'drivers/rbd/conformance',
  'drivers/rbd/copies',
  'drivers/rbd/failures',
  'drivers/rbd/image-clones',
  'drivers/sheepdog/conformance',
  'drivers/sheepdog/driver',
  'drivers/sheepdog/snapshots',
  'drivers/solaris/driver',
  'san/lefthand',
  'san/solaris',
  'targets/aoe/conformance',
  'targets/iscsi-tgt/conformance',
  'targets/iscsi-tgt/real',
  'targets/iscsi-tgt/target',
  'targets/rbd/real',
];
const atOnce = 4;
const chosen = sample('files of one backend', ofOneBackend, atOnce, (name) => name);
const leftOut = ofOneBackend.filter((name) => !chosen.includes(name));

/** One backend more takes no longer: the commit chooses, see test/support/sample.ts. */
export default {
  ...daemons,
  files: [...daemons.files, ...leftOut.map((name) => `!test/lib/${name}.test.ts`)],
};
