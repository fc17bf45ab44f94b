/**
 * Test files of libraries that start vblade, tc, tgtd, iscsiadm, dog (or stand-ins), cp, Ceph, libvirt, a guest, an SSH
 * server, an image service or many commands; conformance suites; copies of whole volumes; and those of a Redis that loses
 * data and of nodes that are gone, which wait most. The inner loop would take twice as long.
 */
export const notInInnerLoop = [
  'test/lib/targets/aoe/{access-filter,conformance,discover,interface,setup,strangers,target,watch}.test.ts',
  'test/lib/targets/rbd/real.test.ts',
  'test/lib/targets/iscsi-tgt/{conformance,libiscsi,real,target}.test.ts',
  'test/lib/targets/nvmet/guest.test.ts',
  'test/lib/targets/{iscsi-lio,lefthand,nvmet,solaris}/target.test.ts',
  'test/lib/drivers/conformance.test.ts',
  'test/lib/drivers/lefthand/driver.test.ts',
  'test/lib/drivers/sheepdog/{conformance,driver,snapshots}.test.ts',
  'test/lib/drivers/rbd/{capacity,conformance,copies,failures,image-clones}.test.ts',
  'test/lib/connectors/{guest,iscsi,libvirt,libvirt-real,nvme,rbd}.test.ts',
  'test/lib/drivers/solaris/driver.test.ts',
  'test/lib/drivers/file/{conformance,snapshots}.test.ts',
  'test/lib/san/{cut-answers,ssh,solaris,lefthand,local}.test.ts',
  'test/lib/{devices/users,images/{copy,glance},process}.test.ts',
  'test/lib/{backups/s3,migration/tls-transport}.test.ts',
  'test/services/api/page/*.test.ts',
  'test/services/node/{attached-migration,backups,catch-up,ceph-data,ceph-migration,copies-elsewhere,images,lent-addresses,redis-loss}.test.ts',
  'test/services/node/{migration,migration-cancel,migration-lost-node,migration-redis-loss,migration-replicas,moved-within-node}.test.ts',
  'test/services/node/{reimage,revert,snapshot-jobs,take-over,task-loss}.test.ts',
];
