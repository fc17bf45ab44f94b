import { crashTestsOfStates } from '../crash/tests.ts';

/** The daemon on LVM and AoE is killed in the middle of what it does by itself, from its first start on. */
await crashTestsOfStates('lvm', ['first-start', 'upkeep']);
