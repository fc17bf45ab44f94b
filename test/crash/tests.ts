import test from 'ava';
import { backends } from './backends.ts';
import type { Place } from './place.ts';
import type { Point } from './plan.ts';
import { scenes } from './scenes.ts';
import { inWords, sweep, told } from './sweeping.ts';

const mostMs = 1_200_000;

/** One test for each operation on a backend. Where it cannot be had they are skipped. */
export async function crashTests(
  backend: string,
  choose: (operation: string, points: Point[]) => Point[] = (_, points) => points,
): Promise<void> {
  const missing = await backends[backend]?.missing();
  const serial = missing === undefined ? test.serial : test.serial.skip;
  let place: Place | undefined;
  if (missing === undefined) {
    test.before(async () => {
      place = await backends[backend]?.place();
    });
  }
  test.after.always(async () => place?.close());
  for (const operation of Object.keys(scenes)) {
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
