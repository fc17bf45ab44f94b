import { sampledCrashTests } from '../crash/tests.ts';

await sampledCrashTests('machine', { operations: 3, points: 3 });
