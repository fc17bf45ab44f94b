import type { Point } from './plan.ts';
import { crashTests } from './tests.ts';

/** Of starts, which have twice the points of all the rest, those before an effect are left to `npm run crash`. */
await crashTests('file-aoe', (operation, points) =>
  operation.endsWith('start') ? points.filter((point) => isLastOf(point, points)) : points,
);

function isLastOf({ number, moment }: Point, points: readonly Point[]): boolean {
  return moment === 'after' || !points.some((other) => other.number === number && other.moment === 'after');
}
