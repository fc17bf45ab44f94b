import { sampledCrashTests } from '../crash/tests.ts';

await sampledCrashTests('machine', { operations: 4, points: 3 });
