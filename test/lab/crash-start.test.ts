import { crashTestsOfStates } from '../crash/tests.ts';

/** The daemon on LVM and AoE is killed while it starts, with volumes in every state that it may find. */
await crashTestsOfStates('lvm', ['start']);
