import { Writable } from 'node:stream';
import { errorCode } from './files.ts';

/** Standard error, which continues after an error. */
export interface LogStream {
  readonly writableLength: number;
  write(text: string, done: (error?: Error | null) => void): boolean;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What a reader that does not read may leave in memory. */
const maxBufferedBytes = 2 ** 20;
const retryMs = 5000;

/**
 * Writes the lines of a log to a stream that can fail or block. It never throws: a line that cannot be written is lost, and a line
 * reports how many once the stream accepts lines again.
 */
export class LogSink {
  /** Takes the lines. */
  readonly input: Writable;
  private readonly stream: LogStream;
  private readonly lossLine: (lost: number, reason: string) => string;
  private lost = 0;
  private reason = '';
  private isReporting = false;
  private retry: NodeJS.Timeout | undefined;

  constructor(stream: LogStream, lossLine: (lost: number, reason: string) => string) {
    this.stream = stream;
    this.lossLine = lossLine;
    stream.on('error', () => {}); // each write reports its own
    this.input = new Writable({
      decodeStrings: false,
      write: (line: string, _encoding, done) => {
        this.write(line);
        done();
      },
    });
  }

  /** Why lines are lost at present. */
  get problem(): string | undefined {
    return this.lost === 0 ? undefined : this.reason;
  }

  /** Waits until the stream has everything, but not for a reader that does not read. */
  async flush(limitMs: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const limit = setTimeout(resolve, limitMs);
      this.stream.write('', () => {
        clearTimeout(limit);
        resolve();
      });
    });
  }

  private write(line: string): void {
    if (this.isFull) return this.countLost('its reader does not read');
    this.stream.write(line, (error) => {
      if (error) this.countLost(errorCode(error) ?? error.message);
      else this.reportLoss();
    });
  }

  private get isFull(): boolean {
    return this.stream.writableLength > maxBufferedBytes;
  }

  private countLost(reason: string): void {
    this.lost += 1;
    this.reason = reason;
    this.retryLater();
  }

  private retryLater(): void {
    this.retry ??= setTimeout(() => {
      this.retry = undefined;
      this.reportLoss();
    }, retryMs).unref();
  }

  private reportLoss(): void {
    const { lost } = this;
    if (lost === 0 || this.isReporting) return;
    if (this.isFull) return this.retryLater();
    this.isReporting = true;
    this.stream.write(this.lossLine(lost, this.reason), (error) => {
      this.isReporting = false;
      if (error) this.retryLater();
      else this.lost -= lost;
    });
  }
}
