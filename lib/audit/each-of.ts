import type { Finding } from './finding.ts';

const concurrency = 100;

/** What is found about each of the items, in their order. */
export async function eachOf<T>(items: readonly T[], work: (item: T) => Promise<Finding[]>): Promise<Finding[]> {
  const found: Finding[] = [];
  for (let begin = 0; begin < items.length; begin += concurrency) {
    found.push(...(await Promise.all(items.slice(begin, begin + concurrency).map(work))).flat());
  }
  return found;
}
