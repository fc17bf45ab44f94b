import { type Stage, check } from './stages.ts';

/** Static checks of the code. */
export const checks: readonly Stage[] = [
  check('lint', 'oxlint', '--type-aware', '--deny-warnings'),
  check('format', 'biome', 'format'),
  check('dead code', 'knip'),
  check('scripts for Redis', process.execPath, 'tools/lint-lua.ts'),
  check('types', 'tsc'),
  check('types of the page', 'tsc', '-p', 'tsconfig.page.json'),
];
