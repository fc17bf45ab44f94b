import type { Call } from '../call.ts';
import { clusterCalls } from './cluster.ts';
import { operationCalls } from './operations.ts';
import { volumeMetadataCalls } from './volume-metadata.ts';
import { volumeCalls } from './volumes.ts';

/** Every call of the API. */
export const calls: readonly Call[] = [...volumeCalls, ...volumeMetadataCalls, ...clusterCalls, ...operationCalls];
