import { type Clock, install } from '@sinonjs/fake-timers';
import test from 'ava';
import { LogSink, type LogStream } from '../../lib/log-sink.ts';

/** Standard error: a file system that can be full, or a pipe whose reader can stop reading. */
class FakeStream implements LogStream {
  lines: string[] = [];
  error: Error | undefined;
  isHeld = false;
  private held: { text: string; done: (error?: Error) => void }[] = [];

  get writableLength(): number {
    return this.held.reduce((sum, { text }) => sum + text.length, 0);
  }

  write(text: string, done: (error?: Error) => void): boolean {
    this.held.push({ text, done });
    if (!this.isHeld) this.release();
    return true;
  }

  release(): void {
    for (const { text, done } of this.held.splice(0)) {
      if (this.error === undefined && text !== '') this.lines.push(text);
      done(this.error);
    }
  }

  on(): void {}
}

let clock: Clock;
let stream: FakeStream;
let sink: LogSink;
test.beforeEach(() => {
  clock = install({ toFake: ['setTimeout', 'clearTimeout'] });
  stream = new FakeStream();
  sink = new LogSink(stream, (lost, reason) => `lost ${lost}: ${reason}`);
});
test.afterEach.always(() => clock.uninstall());

test.serial('lines that a full file system refuses are counted, and reported when it has space again', (t) => {
  sink.input.write('one');
  stream.error = Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
  for (const line of ['two', 'three']) sink.input.write(line);
  t.is(sink.problem, 'ENOSPC');
  clock.tick(20_000);
  t.is(sink.problem, 'ENOSPC');
  stream.error = undefined;
  clock.tick(5000);
  t.is(sink.problem, undefined);
  sink.input.write('four');
  t.deepEqual(stream.lines, ['one', 'lost 2: ENOSPC', 'four']);
});

test.serial('the next line that can be written reports the loss at once, and each loss once', (t) => {
  for (const _ of ['first', 'second']) {
    stream.error = new Error('EPIPE');
    sink.input.write('lost');
    stream.error = undefined;
    sink.input.write('written');
  }
  t.deepEqual(stream.lines, ['written', 'lost 1: EPIPE', 'written', 'lost 1: EPIPE']);
});

test.serial('a reader that does not read costs a bounded amount of memory', async (t) => {
  stream.isHeld = true;
  const line = 'x'.repeat(1000);
  for (let count = 0; count < 5000; count += 1) sink.input.write(line);
  t.true(stream.writableLength < 2 ** 20 + 2000, String(stream.writableLength));
  t.is(sink.problem, 'its reader does not read');
  clock.tick(60_000);
  const flushed = sink.flush(1000);
  clock.tick(1000);
  await flushed;
  stream.isHeld = false;
  stream.release();
  t.is(sink.problem, undefined);
  const kept = stream.lines.filter((one) => one === line).length;
  t.true(stream.lines.includes(`lost ${5000 - kept}: its reader does not read`));
});
