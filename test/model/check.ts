import * as fc from 'fast-check';
import { Cluster } from '../cluster.ts';
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
    const property = fc.asyncProperty(plans, async (plan) => {
      const problems = await carryOut(plan, cluster);
      if (problems.length > 0) throw new Error(problems.join('\n'));
    });
    const details = await fc.check(property, {
      numRuns: runs,
      ...(limitMs === undefined ? {} : { interruptAfterTimeLimit: limitMs }),
      ...(seed === undefined ? {} : { seed }),
      ...(path === undefined ? {} : { path }),
    });
    if (details.failed && details.counterexample !== null) {
      const report = (await fc.asyncDefaultReportMessage(details)) ?? '';
      const again = `npm run model -- --seed ${details.seed} --path ${details.counterexamplePath}`;
      throw new Error(`${report}\n\n${String(details.errorInstance)}\n\nagain: ${again}`);
    }
    return { runs: details.numRuns, seed: details.seed };
  } finally {
    await cluster.close();
  }
}
