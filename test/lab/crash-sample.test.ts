import { sampledCrashTests } from '../crash/tests.ts';

await sampledCrashTests('machine', { operations: 6, points: 4 });
