import { KeyedMutex } from '../concurrency.ts';
import type { ExportSpec } from './target.ts';
import { Watch, type WatchOptions } from './server-watch.ts';

/** Makes and removes exports in the kernel. */
interface Server {
  ensure(spec: ExportSpec): Promise<void>;
  end(id: string): Promise<void>;
}

interface KernelExportsOptions extends Pick<WatchOptions, 'server' | 'start' | 'log'> {
  /** Returns those of the volumes that the kernel should serve and does not, without all that `ensure` compares: it runs often. */
  lost: (specs: readonly ExportSpec[]) => Promise<string[]>;
}

/**
 * The exports that this daemon has been asked for, in a target of the kernel. Requests for one follow each other. What programs that
 * restore or clear the kernel's configuration remove, close or open is rebuilt.
 */
export class KernelExports {
  readonly watch: Watch;
  private readonly server: Server;
  private readonly mutex = new KeyedMutex();
  /** Those whose first request has ended. */
  private readonly specs = new Map<string, ExportSpec>();

  constructor(server: Server, { lost, ...options }: KernelExportsOptions) {
    this.server = server;
    this.watch = new Watch({
      ...options,
      lost: () => lost([...this.specs.values()]),
      restore: (id) => this.restore(id),
    });
  }

  /** Throws the errors of the server's ensure(). */
  async ensure(spec: ExportSpec): Promise<void> {
    await this.mutex.run(spec.id, async () => {
      try {
        await this.server.ensure(spec);
        this.watch.clear(spec.id);
      } finally {
        this.specs.set(spec.id, spec);
      }
    });
  }

  /** Throws the errors of the server's end(). */
  async remove(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      this.specs.delete(id);
      this.watch.clear(id);
      await this.server.end(id);
    });
  }

  private async restore(id: string): Promise<void> {
    await this.mutex.run(id, async () => {
      const spec = this.specs.get(id);
      if (spec) await this.server.ensure(spec); // else removed meanwhile
    });
  }
}
