import * as fc from 'fast-check';
import { Cluster } from '../support/cluster.ts';
import { carryOut } from './carry-out.ts';
import { plans } from './plan.ts';

export interface CheckOptions {
  runs: number;
  /** No further run begins after so long. */
  limitMs?: number;
  seed?: number;
  path?: string;
}

/** Random plans until one cannot be explained: that one is shrunk, and thrown with its seed and path. Returns the runs. */
export async function check({ runs, limitMs, seed, path }: CheckOptions): Promise<{ runs: number; seed: number }> {
  const cluster = await Cluster.start();
  try {
    let done = 0;
    const end = performance.now() + (limitMs ?? Infinity);
    const property = fc.asyncProperty(plans, async (plan) => {
      // A limit of fast-check's own would leave the run that is under way to itself, on a Redis that is taken from it.
      if (performance.now() > end) return;
      done += 1;
      const problems = await carryOut(plan, cluster);
      if (problems.length > 0) throw new Error(problems.join('\n'));
    });
    const details = await fc.check(property, {
      numRuns: runs,
      ...(seed === undefined ? {} : { seed }),
      ...(path === undefined ? {} : { path }),
    });
    if (details.failed && details.counterexample !== null) {
      const report = (await fc.asyncDefaultReportMessage(details)) ?? '';
      const again = `npm run model -- --seed ${details.seed} --path ${details.counterexamplePath}`;
      throw new Error(`${report}\n\n${String(details.errorInstance)}\n\nagain: ${again}`);
    }
    return { runs: done, seed: details.seed };
  } finally {
    await cluster.close();
  }
}
