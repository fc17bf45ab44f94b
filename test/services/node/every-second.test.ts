import test from 'ava';
import { silentLog } from '../../../lib/log.ts';
import { everySecond } from '../../../services/node/every-second.ts';
import { Clock } from '../../support/clock.ts';
import { until } from '../../support/until.ts';

const hourMs = 3_600_000;

for (const [name, stepMs] of [
  ['back by an hour', -hourMs],
  ['on by a day', 24 * hourMs],
] as const) {
  test.serial(`ticks go on when the date is set ${name}`, async (t) => {
    const clock = new Clock();
    let ticks = 0;
    const ticking = everySecond(async () => {
      ticks += 1;
    }, silentLog);
    try {
      await until(() => ticks > 0, 'it ticks');
      clock.jump(stepMs);
      const before = ticks;
      const begin = performance.now();
      await until(() => ticks >= before + 3, 'it ticks three times more');
      t.true(performance.now() - begin > 1000, 'a second apart, not all that were missed');
    } finally {
      await ticking.destroy();
      clock.restore();
    }
  });
}
