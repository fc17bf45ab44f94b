import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import { asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Service } from '../../lib/service.ts';
import { startTracing } from '../../lib/tracing.ts';

/** Ends the SDK: what it has not sent yet would be lost. */
const moduleSchema = z.looseObject({
  shutdown: z.custom<() => unknown>((value) => typeof value === 'function', 'must be a function').optional(),
});

/** Loads the module that starts an SDK of OpenTelemetry. */
export class Tracing implements Service {
  readonly name = 'tracing';
  private readonly path: string;
  private readonly log: Log;
  private shutdown: (() => unknown) | undefined;

  /** `path`: '' = none. */
  constructor(path: string, log: Log) {
    this.path = path;
    this.log = log;
  }

  /** Throws TracingModuleFailed. */
  async start(): Promise<void> {
    if (this.path !== '') await this.load();
    const hasSdk = await startTracing();
    if (hasSdk) this.log.info('work is traced');
    else if (this.path !== '') this.log.warn(`${this.path} has registered no tracer: nothing is traced`);
  }

  async stop(): Promise<void> {
    try {
      await this.shutdown?.();
    } catch (error) {
      this.log.warn(`spans may be lost: ${asError(error).message}`);
    }
  }

  private async load(): Promise<void> {
    try {
      const loaded: unknown = await import(pathToFileURL(this.path).href);
      this.shutdown = moduleSchema.parse(loaded).shutdown;
    } catch (error) {
      throw errors.tracingModuleFailed(this.path, asError(error).message);
    }
  }
}
