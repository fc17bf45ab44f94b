import type { Place } from './place.ts';
import type { Point } from './plan.ts';
import { backends, scenesOn } from './backends.ts';
import { type Failure, Sweep } from './sweep.ts';

/** Results of one operation on one backend. */
export interface Swept {
  backend: string;
  operation: string;
  /** Number of points, and of those at which the daemon was killed. */
  points: number;
  chosen: number;
  runs: number;
  /** Number of runs in which the daemon did not reach the point. */
  missed: number;
  failures: readonly Failure[];
  seconds: number;
}

export interface Sweeping {
  /** Default: all. */
  choose?: (points: Point[]) => Point[];
  /** Whether each point runs with both kinds of repetition; otherwise they alternate. */
  everyWay: boolean;
  /** Called after each point. */
  each?: (point: Point, failures: readonly Failure[]) => void;
}

/** Kills a daemon at every chosen point of an operation. Throws when the operation fails without a crash. */
export async function sweep(
  backend: string,
  place: Place,
  operation: string,
  { choose = (points) => points, everyWay, each }: Sweeping,
): Promise<Swept> {
  const on = backends[backend];
  const scene = on && scenesOn(on)[operation];
  if (!scene) throw new Error(`there is no ${operation} on ${backend}`);
  const begin = performance.now();
  const walk = new Sweep(place, scene);
  const points = await walk.rehearse().catch(async (error: unknown) => {
    await place.reset();
    throw error;
  });
  const chosen = choose(points);
  const failures: Failure[] = [];
  let [runs, missed] = [0, 0];
  for (const point of chosen) {
    const done = await walk.at(point, everyWay);
    runs += done.runs;
    missed += done.missed;
    failures.push(...done.failures);
    each?.(point, done.failures);
  }
  await walk.end();
  const seconds = (performance.now() - begin) / 1000;
  return { backend, operation, points: points.length, chosen: chosen.length, runs, missed, failures, seconds };
}

/** Returns a readable failure with the command that repeats it. */
export function describeFailure(
  { backend, operation }: Pick<Swept, 'backend' | 'operation'>,
  { point, retry, problems }: Failure,
): string {
  const { number, moment, name } = point;
  const again = retry === undefined ? '' : `, asked again ${retry}`;
  return [
    `${operation} on ${backend}, killed ${moment} ${name}${again}: npm run crash ${backend} ${operation} ${number} ${moment}`,
    ...problems.map((problem) => `  ${problem.trim().replaceAll('\n', '\n    ')}`),
  ].join('\n');
}

export function summarize({ points, chosen, runs, missed, failures, seconds }: Swept): string {
  const part = chosen === points ? `${points} points` : `${chosen} of ${points} points`;
  const not = missed === 0 ? '' : ` (${missed} missed it)`;
  return `${part}, ${runs} runs${not}, ${failures.length} failures, ${seconds.toFixed(0)} s`;
}
