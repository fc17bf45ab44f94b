import winston from 'winston';
import type { Log, LogFields, LogFormat, LogLevel } from './log.ts';

export interface LogOptions {
  level: LogLevel;
  format: LogFormat;
  /** Values that are printed as ***. */
  secrets?: readonly string[];
  stream?: NodeJS.WritableStream;
}

/** journald parses a priority at the start of each line (sd-daemon(3)). */
const priorities: Record<string, number> = { error: 3, warn: 4, info: 6, debug: 7 };

export function createLog(options: LogOptions): Log & { close(): Promise<void> } {
  const secrets = (options.secrets ?? []).filter((secret) => secret.length > 0);
  const mask = (line: string) => secrets.reduce((masked, secret) => masked.replaceAll(secret, '***'), line);
  const logger = winston.createLogger({
    level: options.level,
    format: winston.format.combine(
      winston.format.timestamp(),
      winston.format.printf((info) => mask(render(info, options.format))),
    ),
    transports: [new winston.transports.Stream({ stream: options.stream ?? process.stderr })],
  });
  const write = (level: LogLevel) => (message: string, fields?: LogFields) => {
    logger.log({ level, message, fields });
  };
  return {
    error: write('error'),
    warn: write('warn'),
    info: write('info'),
    debug: write('debug'),
    close: () =>
      new Promise((resolve) => {
        logger.once('finish', () => resolve());
        logger.end();
      }),
  };
}

function render(info: winston.Logform.TransformableInfo, format: LogFormat): string {
  const fields: LogFields = { ...(typeof info['fields'] === 'object' ? info['fields'] : {}) };
  if (format === 'json') {
    return JSON.stringify({ time: info['timestamp'], level: info.level, message: info.message, ...fields });
  }
  const details = Object.entries(fields)
    .map(([name, value]) => ` ${name}=${typeof value === 'string' ? value : JSON.stringify(value)}`)
    .join('');
  const line = `${String(info.message)}${details}`;
  if (format === 'journald') return `<${priorities[info.level] ?? 6}>${line.replaceAll('\n', ' ')}`;
  return `${String(info['timestamp']).slice(11, 19)} ${info.level.padEnd(5)} ${line}`;
}
