import { allBut, crashTestsOfStates } from '../crash/tests.ts';

/** The daemon on LVM and AoE is killed in the middle of what clients ask for. */
await crashTestsOfStates('lvm', allBut('start', 'first-start', 'upkeep'));
