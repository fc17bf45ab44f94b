import { asError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import { Fence } from './fence/fence.ts';

export interface AccessOptions {
  interface: string;
  /** Directory of the exports, which identifies their fence. */
  owner: string;
  /** Whether exports are served without a fence on a machine that does not support one. */
  unfenced: boolean;
}

/** The fence of this target's exports, or none if the flags allow that. */
export class Access {
  private readonly options: AccessOptions;
  private readonly processes: Processes;
  private readonly log: Log;
  private fence: Fence | undefined;

  constructor(options: AccessOptions, { processes, log }: { processes: Processes; log: Log }) {
    this.options = options;
    this.processes = processes;
    this.log = log;
  }

  /** Throws NoFence, CommandNotFound. */
  async setup(running: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const fence = acquire(this.options, this.processes);
    try {
      await fence.setup(running);
      this.fence = fence;
    } catch (thrown) {
      await release(this.options, this.processes);
      const error = asError(thrown);
      if (!this.options.unfenced) throw error;
      this.log.warn(`exports are not fenced: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  /** Throws NoFence. */
  async admit(address: string, hosts: readonly string[]): Promise<void> {
    await this.fence?.admit(address, hosts);
  }

  /** Throws NoFence. */
  async close(address: string): Promise<void> {
    await this.fence?.close(address);
  }

  /** Throws NoFence. */
  async remove(address: string): Promise<void> {
    await this.fence?.remove(address);
  }

  /** Corrects filters that were changed or removed. Returns the differences. Throws NoFence. */
  async check(): Promise<string[]> {
    return (await this.fence?.check()) ?? [];
  }

  async end(): Promise<void> {
    if (!this.fence) return;
    this.fence = undefined;
    await release(this.options, this.processes);
  }
}

interface Shared {
  fence: Fence;
  users: number;
}

/** Backends of one daemon that export on the same interface share a fence; otherwise one would undo the other's filters. */
const shared = new WeakMap<Processes, Map<string, Shared>>();

function acquire({ interface: name, owner }: AccessOptions, processes: Processes): Fence {
  const fences = shared.get(processes) ?? new Map<string, Shared>();
  shared.set(processes, fences);
  const entry = fences.get(`${name} ${owner}`) ?? { fence: new Fence({ interface: name, owner }, processes), users: 0 };
  entry.users += 1;
  fences.set(`${name} ${owner}`, entry);
  return entry.fence;
}

async function release({ interface: name, owner }: AccessOptions, processes: Processes): Promise<void> {
  const fences = shared.get(processes);
  const entry = fences?.get(`${name} ${owner}`);
  if (!fences || !entry) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  fences.delete(`${name} ${owner}`);
  await entry.fence.end();
}
