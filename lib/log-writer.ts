import winston from 'winston';
import type { Log, LogFields, LogFormat, LogLevel } from './log.ts';
import { LogLimiter } from './log-limiter.ts';
import { LogSink, type LogStream } from './log-sink.ts';
import { printable, printableJson } from './printable.ts';

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Values that are printed as ***. */
  secrets?: readonly string[];
  stream?: LogStream;
}

/** journald parses a priority at the start of each line (sd-daemon(3)). */
const priorities: Record<string, number> = { error: 3, warn: 4, info: 6, debug: 7 };

const flushMs = 1000;

export function createLog(options: LogOptions): Log & { close(): Promise<void> } {
  const mask = masking(options.secrets ?? []);
  // Before and after: a text with JSON in it becomes a text in JSON.
  const render = (line: Line) => mask(renderers[options.format](maskedLine(line, mask)));
  const sink = new LogSink(options.stream ?? process.stderr, (lost, reason) => {
    const line = { level: 'warn', message: `${lost} lines of the log could not be written`, fields: { reason } };
    return `${render({ ...line, time: new Date().toISOString() })}\n`;
  });
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format.printf((info) => render(lineOf(info))),
    ),
    transports: [new winston.transports.Stream({ stream: sink.input })],
  });
  const limiter = new LogLimiter((line) => logger.log(line));
  const write =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}) =>
      limiter.log({ level, message, fields });
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    get problem() {
      return sink.problem === undefined ? undefined : `the log cannot be written: ${sink.problem}`;
    },
    close: async () => {
      limiter.flush();
      await new Promise<void>((resolve) => {
        logger.once('finish', () => resolve());
        logger.end();
      });
      await sink.flush(flushMs);
    },
  };
}

interface Line {
  /** ISO 8601. */
  time: string;
  level: string;
  message: string;
  fields: LogFields;
}

function lineOf(info: winston.Logform.TransformableInfo): Line {
  const fields = info['fields'];
  return {
    time: String(info['timestamp']),
    level: info.level,
    message: String(info.message),
    fields: typeof fields === 'object' ? { ...fields } : {},
  };
}

function maskedLine({ message, fields, ...rest }: Line, mask: (text: string) => string): Line {
  const entries = Object.entries(fields).map(([name, value]) => [
    name,
    typeof value === 'string' ? mask(value) : value,
  ]);
  return { ...rest, message: mask(message), fields: Object.fromEntries(entries) };
}

const renderers: Record<LogFormat, (line: Line) => string> = {
  json: ({ time, level, message, fields }) => printableJson({ time, level, message, ...fields }),
  journald: (line) => `<${priorities[line.level] ?? 6}>${plain(line)}`,
  human: (line) => `${new Date(line.time).toTimeString().slice(0, 8)} ${line.level.padEnd(5)} ${plain(line)}`,
};

/** One line, whatever others have written into it. */
function plain({ message, fields }: Line): string {
  const details = Object.entries(fields)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  return printable(`${message}${details}`.replaceAll(/\r?\n/g, ' '));
}

/** Masks secrets in the forms in which other texts contain them: as they are, within JSON, and within a URL. */
function masking(secrets: readonly string[]): (line: string) => string {
  const forms = secrets.flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1), encoded(secret)]);
  const longestFirst = [...new Set(forms)].filter((form) => form !== '').toSorted((a, b) => b.length - a.length);
  return (line) => longestFirst.reduce((masked, secret) => masked.replaceAll(secret, '***'), line);
}

function encoded(secret: string): string {
  return secret.isWellFormed() ? encodeURIComponent(secret) : secret;
}
