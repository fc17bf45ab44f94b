import { operationNames } from '../../lib/models/transitions.ts';
import { crashTestsOfStates } from '../crash/tests.ts';

/** The daemon on LVM and AoE is killed in the middle of what clients ask for. */
await crashTestsOfStates('lvm', [...operationNames, 'audit']);
