import { BlockstoreError } from './blockstore-error.ts';
import { byteSize } from './format-bytes.ts';

/** A thin pool, for messages. `name`: group/pool. */
export interface ThinPoolName {
  /** Of the configuration; undefined where a driver is used without a daemon. */
  backend?: string | undefined;
  name: string;
}

/** Errors of the thin pools of LVM. */
export const lvmThinErrors = {
  thinPoolMissing: (pool: ThinPoolName) =>
    new BlockstoreError(
      'ThinPoolMissing',
      'failed',
      `${named(pool)} does not exist`,
      `create it: lvcreate --type thin-pool -Zy -L SIZE -n ${lvOf(pool)} ${groupOf(pool)}; or set storage_create=true, by ` +
        'which it takes the free space of the group; or set lvm_thin_pool to an existing one; then restart the daemon',
    ),
  thinPoolRenamed: (pool: ThinPoolName, name: string) =>
    new BlockstoreError(
      'ThinPoolMissing',
      'failed',
      `${named(pool)} does not exist: it was renamed to ${name}`,
      `give it back its name: lvrename ${groupOf(pool)} ${name} ${lvOf(pool)}; or: lvm_thin_pool = ${name}`,
    ),
  notThinPool: (pool: ThinPoolName) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} is a logical volume of another kind`,
      'set lvm_thin_pool to a thin pool, or to the name of one that storage_create=true makes, then restart the daemon',
    ),
  thinPoolForeign: (pool: ThinPoolName) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} was not made by blockstore, and lvm_thin_pool does not name it`,
      `if its space is for this backend: lvm_thin_pool = ${lvOf(pool)}; otherwise: lvrename ${pool.name} other-name`,
    ),
  thinPoolNotZeroing: (pool: ThinPoolName) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} does not zero its blocks, by which a volume shows data of deleted ones`,
      `lvchange -Zy ${pool.name}`,
    ),
  thinPoolBroken: (pool: ThinPoolName, reason: string) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} cannot be changed: ${reason}`,
      `detach its volumes and deactivate them (lvchange -an), then: lvchange -an ${pool.name} && lvconvert --repair ` +
        `${pool.name}; see lvmthin(7), "Metadata check and repair"`,
    ),
  thinPoolInactive: (pool: ThinPoolName, reason: string) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} is not active, so its usage is not known: ${reason}`,
      `see why LVM does not activate it: lvchange -ay ${pool.name}; activation/volume_list of lvm.conf has to name the group or the pool`,
    ),
  thinPoolPromised: (
    pool: ThinPoolName,
    { neededBytes, freeBytes, ratio }: { neededBytes: number; freeBytes: number; ratio: number },
  ) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `${named(pool)} has ${byteSize(freeBytes)} left for new volumes and snapshots (max_over_subscription_ratio ${ratio}); ` +
        `the request needs ${byteSize(neededBytes)}`,
      `delete volumes or snapshots, ${moreData(pool)}, or raise max_over_subscription_ratio`,
    ),
  thinPoolData: (pool: ThinPoolName, percent: number) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `${named(pool)} is ${percent} % full, and its volumes can grow beyond its size`,
      `${moreData(pool)}, or delete volumes or snapshots`,
    ),
  thinPoolMetadata: (pool: ThinPoolName, percent: number) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `the metadata of ${named(pool)} is ${percent} % full`,
      `extend it: lvextend --poolmetadatasize +SIZE ${pool.name}; or delete snapshots`,
    ),
  thinPoolRefuses: (pool: ThinPoolName, reason: string) =>
    new BlockstoreError(
      'NoSpace',
      'exhausted',
      `LVM makes no volume in ${named(pool)}: ${reason}`,
      `see its usage (lvs -o +data_percent,metadata_percent ${pool.name}), then ${moreData(pool)}, or its metadata: ` +
        `lvextend --poolmetadatasize +SIZE ${pool.name}`,
    ),
  snapshotInOtherPool: (pool: ThinPoolName) =>
    new BlockstoreError(
      'ThinPoolUnusable',
      'failed',
      `${named(pool)} is not the pool of this backend, so nothing is made in it`,
      `if its space is for this backend: lvm_thin_pool = ${lvOf(pool)}; otherwise copy the volume`,
    ),
};

function named({ backend, name }: ThinPoolName): string {
  return `${backend === undefined ? '' : `backend ${backend}: `}thin pool ${name}`;
}

function groupOf({ name }: ThinPoolName): string {
  return name.split('/')[0] ?? '';
}

function lvOf({ name }: ThinPoolName): string {
  return name.split('/')[1] ?? '';
}

function moreData({ name }: ThinPoolName): string {
  return `extend it: lvextend -L +SIZE ${name}`;
}
