import { type Clock, install } from '@sinonjs/fake-timers';
import test from 'ava';
import { LogLimiter, type LogLine } from '../../lib/log-limiter.ts';

let clock: Clock;
let written: string[];
let limiter: LogLimiter;

test.beforeEach(() => {
  clock = install({ toFake: ['setTimeout', 'clearTimeout'] });
  written = [];
  limiter = new LogLimiter(({ message, fields }: LogLine) => {
    const { repeated } = fields;
    written.push(typeof repeated === 'number' ? `${message} (${repeated})` : message);
  });
});
test.afterEach.always(() => clock.uninstall());

function error(message: string, fields = {}): void {
  limiter.log({ level: 'error', message, fields });
}

test.serial('a problem is a line when it begins, and one a minute while it continues', (t) => {
  for (let second = 0; second < 180; second += 1) {
    error('Redis is unreachable');
    clock.tick(1000);
  }
  t.deepEqual(written, [
    'Redis is unreachable',
    'Redis is unreachable (59)',
    'Redis is unreachable (60)',
    'Redis is unreachable (60)',
  ]);
  clock.tick(120_000);
  t.is(written.length, 4);
  error('Redis is unreachable');
  t.is(written.length, 5, 'a problem that comes back after a quiet minute is written at once');
});

test.serial('of one problem of many objects ten are written', (t) => {
  const ids = Array.from(
    { length: 100 },
    (_, index) => `${String(index).padStart(8, '0')}-aaaa-4000-8000-0123456789ab`,
  );
  for (const id of ids) error(`volume ${id} cannot be served`);
  for (const id of ids) error('an export had died', { volume: id });
  error('another problem');
  t.is(written.length, 21);
  clock.tick(60_000);
  t.deepEqual(written.slice(21), [`volume ${ids.at(-1)} cannot be served (90)`, 'an export had died (90)']);
});

test.serial('each loss and each return is written, and of many the last line says which of them was the last', (t) => {
  const info = (message: string) => limiter.log({ level: 'info', message, fields: {} });
  for (const last of ['lost', 'found']) {
    written.length = 0;
    for (let count = 0; count < 30; count += 1) {
      error('lost');
      error('lost');
      info('found');
    }
    if (last === 'lost') error('lost');
    t.deepEqual(written, Array.from({ length: 10 }, () => ['lost', 'found']).flat());
    clock.tick(60_000);
    t.is(written.length, 22);
    t.regex(written.at(-1) ?? '', new RegExp(`^${last} `));
    clock.tick(120_000);
  }
});

test.serial('debug lines are not limited, and a log that ends writes what it holds back', (t) => {
  for (let count = 0; count < 20; count += 1) limiter.log({ level: 'debug', message: 'detail', fields: {} });
  t.is(written.length, 20);
  for (let count = 0; count < 3; count += 1) error('x');
  limiter.flush();
  t.deepEqual(written.slice(20), ['x', 'x (2)']);
});
