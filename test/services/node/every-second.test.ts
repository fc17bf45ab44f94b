import { setTimeout as pause } from 'node:timers/promises';
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

test.serial(
  'a tick that takes longer than a second is not joined by another one, and nothing is said of it',
  async (t) => {
    const lines: string[] = [];
    const said = (message: string) => void lines.push(message);
    const log = { ...silentLog, debug: said, info: said, warn: said, error: said };
    let [running, most, ended] = [0, 0, 0];
    const ticking = everySecond(async () => {
      running += 1;
      most = Math.max(most, running);
      await pause(1200);
      running -= 1;
      ended += 1;
    }, log);
    try {
      await until(() => ended >= 2, 'two have ended');
    } finally {
      await ticking.destroy();
    }
    t.is(most, 1);
    t.deepEqual(lines, []);
  },
);
