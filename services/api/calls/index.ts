import type { Call } from '../call.ts';
import { clusterCalls } from './cluster.ts';
import { defaultTypeCalls } from './default-types.ts';
import { operationCalls } from './operations.ts';
import { qosSpecCalls } from './qos-specs.ts';
import { typeAccessCalls } from './type-access.ts';
import { typeEncryptionCalls } from './type-encryption.ts';
import { typeSpecCalls } from './type-specs.ts';
import { typeCalls } from './types.ts';
import { volumeMetadataCalls } from './volume-metadata.ts';
import { volumeCalls } from './volumes.ts';

/** Every call of the API. */
export const calls: readonly Call[] = [
  ...volumeCalls,
  ...volumeMetadataCalls,
  ...clusterCalls,
  ...operationCalls,
  ...typeCalls,
  ...typeSpecCalls,
  ...typeAccessCalls,
  ...typeEncryptionCalls,
  ...qosSpecCalls,
  ...defaultTypeCalls,
];
