import type { VolumeDriver } from '../../lib/drivers/driver.ts';
import { type BlockstoreError, asError, errors } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Target } from '../../lib/targets/target.ts';

/** Where volumes of a node are kept, and how they are exported. Its name is in their records. */
export interface Backend {
  name: string;
  driver: VolumeDriver;
  target: Target;
}

/** The backends of a node. One that fails its checks is reported and tried again; the others are served. */
export class Backends {
  private readonly all: ReadonlyMap<string, Backend>;
  private readonly log: Log;
  private readonly failures = new Map<string, BlockstoreError>();
  private readonly notConfiguredNames = new Set<string>();

  constructor(backends: readonly Backend[], log: Log) {
    this.all = new Map(backends.map((backend) => [backend.name, backend]));
    this.log = log;
  }

  /** Sets up every backend. Throws the first failure where none can be served: then the daemon has nothing to do. */
  async setup(): Promise<void> {
    for (const backend of this.all.values()) await this.trySetup(backend);
    const [failure] = this.failures.values();
    if (failure && this.failures.size === this.all.size) {
      await this.close();
      throw failure;
    }
  }

  /** Sets up again what failed. Returns the backends that are served now and were not before. */
  async retry(): Promise<Backend[]> {
    const failed = [...this.failures.keys()].flatMap((name) => this.all.get(name) ?? []);
    const found: Backend[] = [];
    for (const backend of failed) if (await this.trySetup(backend)) found.push(backend);
    return found;
  }

  async close(): Promise<void> {
    for (const backend of this.all.values()) await closeBackend(backend);
  }

  /** Every backend, served or not. */
  get configured(): readonly Backend[] {
    return [...this.all.values()];
  }

  get served(): readonly Backend[] {
    return this.configured.filter(({ name }) => !this.failures.has(name));
  }

  /** While one is not served, its storage is not known: what nothing else accounts for may be its own. */
  get areAllServed(): boolean {
    return this.failures.size === 0;
  }

  /** Throws BackendUnavailable for one that is not configured here, or fails its checks. */
  get(name: string): Backend {
    const backend = this.all.get(name);
    if (!backend) throw this.notConfigured(name);
    const failure = this.failures.get(name);
    if (failure) throw errors.backendUnavailable(name, failure.message);
    return backend;
  }

  /** Why a backend is not served; undefined when it is. */
  failureOf(name: string): string | undefined {
    return this.failures.get(name)?.message;
  }

  private notConfigured(name: string): BlockstoreError {
    const error = errors.backendUnavailable(name, 'it is not among the enabled_backends of this node');
    if (!this.notConfiguredNames.has(name)) this.log.error(error.message, hintOf(error));
    this.notConfiguredNames.add(name);
    return error;
  }

  private async trySetup(backend: Backend): Promise<boolean> {
    const { name, driver, target } = backend;
    try {
      await driver.setup();
      await target.setup();
      if (this.failures.delete(name)) this.log.info(`backend ${name} is served again`);
      return true;
    } catch (thrown) {
      const error = asError(thrown);
      // A helper process that stayed would keep the daemon from ending.
      await closeBackend(backend);
      if (this.failures.get(name)?.message !== error.message) {
        this.log.error(`backend ${name} is not served: ${error.message}`, hintOf(error));
      }
      this.failures.set(name, error);
      return false;
    }
  }
}

function hintOf({ hint }: BlockstoreError): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

async function closeBackend({ driver, target }: Backend): Promise<void> {
  await target.close();
  await driver.close();
}
