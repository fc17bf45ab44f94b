import type { LogFields, LogLevel } from './log.ts';

export interface LogLine {
  level: LogLevel;
  message: string;
  fields: LogFields;
}

const windowMs = 60_000;
/** Lines of one kind in a window: about different objects, or of something that ends and begins again. */
const maxOfOneKind = 10;
const idOrNumber = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+/g;

interface Window {
  /** With the place of their last lines among all lines. */
  texts: Map<string, number>;
  written: number;
  suppressed: number;
  last: LogLine;
  /** Of the last line among all lines. */
  order: number;
}

/**
 * Keeps a log readable: a line that is repeated, and lines of one kind beyond the first ten, which differ only in ids and numbers,
 * become one line a minute with the field `repeated`. A problem that begins again, after a line that could say that it was over, is
 * no repetition. Lines of level debug are not limited.
 */
export class LogLimiter {
  private readonly write: (line: LogLine) => void;
  private readonly windows = new Map<string, Window>();
  private count = 0;
  /** Places of the last line that reports a problem, and of the last one that does not. */
  private readonly last = { problem: 0, info: 0 };

  constructor(write: (line: LogLine) => void) {
    this.write = write;
  }

  log(line: LogLine): void {
    if (line.level === 'debug') return this.write(line);
    this.count += 1;
    const kind = `${line.level} ${line.message.replaceAll(idOrNumber, '#')}`;
    const window = this.windows.get(kind) ?? this.open(kind, line);
    const text = line.message + JSON.stringify(line.fields);
    window.last = line;
    window.order = this.count;
    const [own, other] = line.level === 'info' ? (['info', 'problem'] as const) : (['problem', 'info'] as const);
    this.last[own] = this.count;
    const before = window.texts.get(text);
    const isRepeated = before !== undefined && before > this.last[other];
    if (isRepeated || window.written >= maxOfOneKind) {
      if (before !== undefined) window.texts.set(text, this.count);
      window.suppressed += 1;
      return;
    }
    window.texts.set(text, this.count);
    window.written += 1;
    this.write(line);
  }

  /** Writes what is still suppressed. */
  flush(): void {
    this.summarizeUntil(this.count);
    this.windows.clear();
  }

  private open(kind: string, last: LogLine): Window {
    const window: Window = { texts: new Map(), written: 0, suppressed: 0, last, order: this.count };
    this.windows.set(kind, window);
    this.endLater(kind, window);
    return window;
  }

  private endLater(kind: string, window: Window): void {
    setTimeout(() => {
      if (this.windows.get(kind) !== window) return;
      if (window.suppressed === 0) this.windows.delete(kind);
      else this.endLater(kind, window); // what continues is one line a minute
      this.summarizeUntil(window.order);
    }, windowMs).unref();
  }

  /** In the order of their last lines: the loss of something and its return are two kinds, and the later one must stay the last. */
  private summarizeUntil(order: number): void {
    const due = Array.from(this.windows.values()).filter((one) => one.suppressed > 0 && one.order <= order);
    for (const window of due.toSorted((one, other) => one.order - other.order)) {
      this.write({ ...window.last, fields: { ...window.last.fields, repeated: window.suppressed } });
      window.suppressed = 0;
    }
  }
}
