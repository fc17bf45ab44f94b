import daemons from './daemons.config.js';
import { sample } from './support/sample.ts';

/** Files about one driver, target or store with processes of its own, or that copy volumes. The gate runs some, the part `daemons` of `npm run test:all` each. */
const ofOneBackend = [
  'cli/backup',
  'cli/image',
  'cli/lefthand',
  'cli/migrate',
  'cli/rbd',
  'cli/solaris',
  'faults/lvm',
  'lib/backups/s3',
  'lib/connectors/guest',
  'lib/drivers/file/conformance',
  'lib/drivers/file/snapshots',
  'lib/drivers/rbd/capacity',
  'lib/drivers/rbd/conformance',
  'lib/drivers/rbd/copies',
  'lib/drivers/rbd/failures',
  'lib/drivers/rbd/image-clones',
  'lib/drivers/sheepdog/conformance',
  'lib/drivers/sheepdog/driver',
  'lib/drivers/sheepdog/snapshots',
  'lib/drivers/solaris/driver',
  'lib/migration/tls-transport',
  'lib/san/lefthand',
  'lib/san/solaris',
  'lib/targets/aoe/conformance',
  'lib/targets/iscsi-tgt/conformance',
  'lib/targets/iscsi-tgt/real',
  'lib/targets/iscsi-tgt/target',
  'lib/targets/rbd/real',
  'services/daemon/ceph-migration-kills',
  'services/daemon/migration-kills',
  'services/node/attached-migration',
  'services/node/backups',
  'services/node/ceph-data',
  'services/node/ceph-migration',
  'services/node/copies-elsewhere',
  'services/node/images',
  'services/node/lent-addresses',
  'services/node/migration-cancel',
  'services/node/migration-lost-node',
  'services/node/migration-redis-loss',
  'services/node/moved-within-node',
  'services/node/migration-replicas',
  'services/node/reimage',
  'services/node/revert',
  'services/node/snapshot-jobs',
];
const atOnce = 2;
const chosen = sample('files of one backend', ofOneBackend, atOnce, (name) => name);
const leftOut = ofOneBackend.filter((name) => !chosen.includes(name));

/** One backend more takes no longer: the commit chooses, see test/support/sample.ts. */
export default {
  ...daemons,
  files: [...daemons.files, ...leftOut.map((name) => `!test/${name}.test.ts`)],
};
