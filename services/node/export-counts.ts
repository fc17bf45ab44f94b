import type { Backend } from './backends.ts';
import type { ExportCount } from './figures.ts';
import type { OwnVolume } from './volume-table.ts';

/** Returns how many exports should run and do, by the names of these backends and of those that are expected to have some. */
export function exportCounts(
  served: readonly Backend[],
  expected: readonly OwnVolume[],
  ended: readonly OwnVolume[],
): Map<string, ExportCount> {
  const exporting = served.filter(({ target }) => target.addressing !== 'none');
  const counts = new Map<string, ExportCount>(exporting.map(({ name }) => [name, { expected: 0, running: 0 }]));
  const add = ({ backend }: OwnVolume, more: ExportCount) => {
    const count = counts.get(backend) ?? { expected: 0, running: 0 };
    counts.set(backend, { expected: count.expected + more.expected, running: count.running + more.running });
  };
  for (const one of expected) add(one, { expected: 1, running: 1 });
  for (const one of ended) add(one, { expected: 0, running: -1 });
  return counts;
}
