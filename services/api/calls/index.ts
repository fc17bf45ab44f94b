import type { Call } from '../call.ts';
import { attachmentCalls } from './attachments.ts';
import { backupActionCalls } from './backup-actions.ts';
import { backupCalls } from './backups.ts';
import { clusterCalls } from './cluster.ts';
import { defaultTypeCalls } from './default-types.ts';
import { extensionCalls } from './extensions.ts';
import { consistencyGroupCalls } from './consistency-groups.ts';
import { groupSnapshotCalls } from './group-snapshots.ts';
import { groupTypeCalls } from './group-types.ts';
import { groupCalls } from './groups.ts';
import { hostCalls } from './hosts.ts';
import { limitCalls } from './limits.ts';
import { messageCalls } from './messages.ts';
import { metadataCalls } from './metadata.ts';
import { operationCalls } from './operations.ts';
import { poolCalls } from './pools.ts';
import { qosSpecCalls } from './qos-specs.ts';
import { quotaCalls } from './quotas.ts';
import { resourceFilterCalls } from './resource-filters.ts';
import { serviceClusterCalls } from './service-clusters.ts';
import { serviceCalls } from './services.ts';
import { snapshotActionCalls } from './snapshot-actions.ts';
import { snapshotCalls } from './snapshots.ts';
import { transferCalls } from './transfers.ts';
import { typeAccessCalls } from './type-access.ts';
import { typeEncryptionCalls } from './type-encryption.ts';
import { typeSpecCalls } from './type-specs.ts';
import { typeCalls } from './types.ts';
import { volumeActionCalls } from './volume-actions.ts';
import { volumeAdminActionCalls } from './volume-admin-actions.ts';
import { volumeImageActionCalls } from './volume-image-actions.ts';
import { volumeRestoreActionCalls } from './volume-restore-actions.ts';
import { volumeSummaryCalls } from './volume-summary.ts';
import { volumeAttachCalls } from './volume-attach.ts';
import { volumeCalls } from './volumes.ts';

/** Every call of the API. */
export const calls: readonly Call[] = [
  ...volumeCalls,
  ...volumeActionCalls,
  ...volumeAdminActionCalls,
  ...volumeImageActionCalls,
  ...volumeRestoreActionCalls,
  ...snapshotCalls,
  ...snapshotActionCalls,
  ...metadataCalls,
  ...attachmentCalls,
  ...transferCalls,
  ...volumeAttachCalls,
  ...clusterCalls,
  ...operationCalls,
  ...typeCalls,
  ...typeSpecCalls,
  ...typeAccessCalls,
  ...typeEncryptionCalls,
  ...qosSpecCalls,
  ...defaultTypeCalls,
  ...quotaCalls,
  ...limitCalls,
  ...serviceCalls,
  ...hostCalls,
  ...poolCalls,
  ...serviceClusterCalls,
  ...volumeSummaryCalls,
  ...backupCalls,
  ...backupActionCalls,
  ...messageCalls,
  ...groupCalls,
  ...groupSnapshotCalls,
  ...groupTypeCalls,
  ...consistencyGroupCalls,
  ...extensionCalls,
  ...resourceFilterCalls,
];
