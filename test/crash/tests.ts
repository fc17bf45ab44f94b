import test from 'ava';
import { backends } from './backends.ts';
import type { Place } from './place.ts';
import type { Moment, Point } from './plan.ts';
import { scenes } from './scenes.ts';
import { oneForEachState } from './states.ts';
import { inWords, sweep, told } from './sweeping.ts';

const mostMs = 1_200_000;

type Choose = (operation: string, points: Point[]) => Point[];

/** All operations that there are but some: a new one is among them. */
export function allBut(...some: readonly string[]): string[] {
  return Object.keys(scenes).filter((operation) => !some.includes(operation));
}

/** One test for each operation. Where the backend cannot be had they are skipped. */
async function sweepTests(backend: string, operations: readonly string[], choose: Choose): Promise<void> {
  const missing = await backends[backend]?.missing();
  const serial = missing === undefined ? test.serial : test.serial.skip;
  let place: Place | undefined;
  if (missing === undefined) {
    test.before(async () => {
      place = await backends[backend]?.place();
    });
  }
  test.after.always(async () => place?.close());
  for (const operation of operations) {
    serial(`${backend}: killed in the middle of ${operation}`, async (t) => {
      t.timeout(mostMs);
      if (!place) throw new Error(`there is no ${backend}`);
      const swept = await sweep(backend, place, operation, {
        choose: (points) => choose(operation, points),
        everyWay: false,
      });
      t.log(inWords(swept));
      t.true(swept.missed * 5 < swept.runs, 'most runs came to their point');
      t.deepEqual(
        swept.failures.map((failure) => told(swept, failure)),
        [],
      );
    });
  }
}

/** Every point of these operations. */
export function crashTests(backend: string, operations: readonly string[]): Promise<void> {
  return sweepTests(backend, operations, (_, points) => points);
}

/** For a backend on which each run takes long: these operations at one point for each state that they can be left in. */
export function crashTestsOfStates(backend: string, operations: readonly string[]): Promise<void> {
  return sweepTests(backend, operations, (_, points) => oneForEachState(points));
}

/** The first point of each kind that is named, by operation. */
export type Chosen = Readonly<Record<string, readonly [Moment, RegExp][]>>;

/** For a backend on which it takes longest. All points that there are: `npm run crash <backend>`. */
export async function chosenCrashTests(backend: string, chosen: Chosen): Promise<void> {
  const choose: Choose = (operation, points) =>
    (chosen[operation] ?? []).map(([moment, pattern]) => {
      const point = points.find(({ moment: when, name }) => when === moment && pattern.test(name));
      if (!point) throw new Error(`${operation} has no point ${moment} ${pattern}`);
      return point;
    });
  await sweepTests(backend, Object.keys(chosen), choose);
}
