import { createHash } from 'node:crypto';
import { execa } from 'execa';
import { fingerprint } from './fingerprint.ts';

/** The variable that names another sample than the commit's. */
export const sampleVariable = 'TEST_SAMPLE';

/** What this run's samples are chosen by: the commit, or, outside git, the sources. */
export const sampleName = process.env[sampleVariable] ?? (await commit()) ?? (await fingerprint());

async function commit(): Promise<string | undefined> {
  const { stdout, failed } = await execa('git', ['rev-parse', 'HEAD'], { cwd: import.meta.dirname, reject: false });
  return failed ? undefined : stdout.slice(0, 12);
}

/**
 * Returns `size` items of the pool, in its order: by chance, but the same ones whenever the same commit is tested. A larger
 * pool takes no longer. `topic` keeps two choices from the same names apart.
 */
export function sample<T>(topic: string, pool: readonly T[], size: number, nameOf: (item: T) => string): T[] {
  const ranks = pool.map((item) => rank(topic, nameOf(item)));
  const chosen = new Set(ranks.toSorted().slice(0, size));
  return pool.filter((_, index) => chosen.has(ranks[index] ?? ''));
}

/** Returns a whole number from 1 to `most` by the same chance. */
export function sampleNumber(topic: string, most: number): number {
  return 1 + (Number.parseInt(rank(topic, '').slice(0, 12), 16) % most);
}

function rank(topic: string, name: string): string {
  return createHash('sha256').update(`${sampleName}\0${topic}\0${name}`).digest('hex');
}
