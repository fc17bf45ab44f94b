import type { LogFields, LogLevel } from './log.ts';

export interface LogLine {
  level: LogLevel;
  message: string;
  fields: LogFields;
}

const windowMs = 60_000;
/** Lines of one kind, about different objects, in a window. */
const maxOfOneKind = 10;
const idOrNumber = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+/g;

interface Window {
  texts: Set<string>;
  suppressed: number;
  last: LogLine;
  /** Of the last line among all lines. */
  order: number;
}

/**
 * Keeps a log readable: a line that is repeated, and lines of one kind beyond the first ten, which differ only in ids and numbers,
 * become one line a minute with the field `repeated`. Lines of level debug are not limited.
 */
export class LogLimiter {
  private readonly write: (line: LogLine) => void;
  private readonly windows = new Map<string, Window>();
  private count = 0;

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
    if (window.texts.has(text) || window.texts.size >= maxOfOneKind) {
      window.suppressed += 1;
      return;
    }
    window.texts.add(text);
    this.write(line);
  }

  /** Writes what is still suppressed. */
  flush(): void {
    this.summarizeUntil(this.count);
    this.windows.clear();
  }

  private open(kind: string, last: LogLine): Window {
    const window: Window = { texts: new Set(), suppressed: 0, last, order: this.count };
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
