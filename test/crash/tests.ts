import test from 'ava';
import { sample } from '../support/sample.ts';
import { type CrashBackend, backends, scenesOn } from './backends.ts';
import type { Place } from './place.ts';
import { oneForEachState } from './states.ts';
import { summarize, sweep, describeFailure } from './in-parallel.ts';

const maxMs = 1_800_000;

interface Size {
  /** Number of pairs of a backend and an operation. */
  operations: number;
  /** Number of points of each. */
  points: number;
}

/** All operations on all backends that support them. */
function pairsOn(on: CrashBackend['on']): { name: string; backend: string; operation: string }[] {
  const there = Object.entries(backends).filter(([, one]) => one.on === on);
  return there.flatMap(([backend, one]) =>
    Object.keys(scenesOn(one)).map((operation) => ({ name: `${backend} ${operation}`, backend, operation })),
  );
}

/**
 * One test for each operation of a sample of this size, however many operations and backends there are. Where a backend
 * cannot be had its operations are skipped. `npm run crash` has all points.
 */
export async function sampledCrashTests(on: CrashBackend['on'], size: Size): Promise<void> {
  const chosen = sample(`crash on ${on}`, pairsOn(on), size.operations, ({ name }) => name);
  // ava takes no test once something was waited for after the first one.
  const missing = new Map<string, string | undefined>();
  for (const { backend } of chosen) missing.set(backend, await backends[backend]?.missing());
  const places = new Places();
  test.after.always(() => places.close());
  for (const { name, backend, operation } of chosen) {
    const title = `${backend}: killed in the middle of ${operation}`;
    const reason = missing.get(backend);
    if (reason !== undefined) {
      test.skip(`${title} (${reason})`, () => {});
      continue;
    }
    test.serial(title, async (t) => {
      t.timeout(maxMs);
      const swept = await sweep(backend, await places.of(backend), operation, {
        choose: (points) =>
          sample(`points of ${name}`, oneForEachState(points), size.points, (point) => JSON.stringify(point)),
        everyWay: false,
        each: ({ number, moment, name: effect }) =>
          t.log(`npm run crash ${backend} ${operation} ${number} ${moment}   # ${effect}`),
      });
      t.log(summarize(swept));
      // Those of periodic activities can be elsewhere in the next run.
      t.true(swept.missed <= Math.max(1, swept.runs / 2), 'most runs came to their point');
      t.deepEqual(
        swept.failures.map((failure) => describeFailure(swept, failure)),
        [],
      );
    });
  }
}

/** One place at a time: a machine requires memory. */
class Places {
  private backend = '';
  private place: Place | undefined;

  async of(backend: string): Promise<Place> {
    if (this.place && this.backend === backend) return this.place;
    await this.close();
    const made = await backends[backend]?.place();
    if (!made) throw new Error(`there is no ${backend}`);
    this.backend = backend;
    this.place = made;
    return made;
  }

  async close(): Promise<void> {
    const { place } = this;
    this.place = undefined;
    await place?.close();
  }
}
