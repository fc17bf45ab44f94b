import { sampledCrashTests } from '../crash/tests.ts';

await sampledCrashTests('machine', { operations: 2, points: 3 });
