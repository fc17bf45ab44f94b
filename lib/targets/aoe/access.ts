import { asError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Processes } from '../../process.ts';
import { AccessFilter } from './filter/access-filter.ts';

export interface AccessOptions {
  interface: string;
  /** Directory of the exports, which identifies their access filter. */
  owner: string;
  /** Whether exports are served without an access filter on a machine that does not support one. */
  unfiltered: boolean;
}

/** The access filter of this target's exports, or none if the flags allow that. */
export class Access {
  private readonly options: AccessOptions;
  private readonly processes: Processes;
  private readonly log: Log;
  private filter: AccessFilter | undefined;

  constructor(options: AccessOptions, { processes, log }: { processes: Processes; log: Log }) {
    this.options = options;
    this.processes = processes;
    this.log = log;
  }

  /** Throws NoAccessFilter, CommandNotFound. */
  async setup(running: ReadonlyMap<string, readonly string[]>): Promise<void> {
    const filter = acquire(this.options, this.processes);
    try {
      await filter.setup(running);
      this.filter = filter;
    } catch (thrown) {
      await release(this.options, this.processes);
      const error = asError(thrown);
      if (!this.options.unfiltered) throw error;
      this.log.warn(`exports are not fenced: ${error.message}`, error.hint === undefined ? {} : { hint: error.hint });
    }
  }

  /** Throws NoAccessFilter. */
  async admit(address: string, hosts: readonly string[]): Promise<void> {
    await this.filter?.admit(address, hosts);
  }

  /** Throws NoAccessFilter. */
  async close(address: string): Promise<void> {
    await this.filter?.close(address);
  }

  /** Throws NoAccessFilter. */
  async remove(address: string): Promise<void> {
    await this.filter?.remove(address);
  }

  /** Corrects filters that were changed or removed. Returns the differences. Throws NoAccessFilter. */
  async check(): Promise<string[]> {
    return (await this.filter?.check()) ?? [];
  }

  async end(): Promise<void> {
    if (!this.filter) return;
    this.filter = undefined;
    await release(this.options, this.processes);
  }
}

interface Shared {
  filter: AccessFilter;
  users: number;
}

/** Backends of one daemon that export on the same interface share an access filter; otherwise one would undo the other's filters. */
const shared = new WeakMap<Processes, Map<string, Shared>>();

function acquire({ interface: name, owner }: AccessOptions, processes: Processes): AccessFilter {
  const filters = shared.get(processes) ?? new Map<string, Shared>();
  shared.set(processes, filters);
  const entry = filters.get(`${name} ${owner}`) ?? {
    filter: new AccessFilter({ interface: name, owner }, processes),
    users: 0,
  };
  entry.users += 1;
  filters.set(`${name} ${owner}`, entry);
  return entry.filter;
}

async function release({ interface: name, owner }: AccessOptions, processes: Processes): Promise<void> {
  const filters = shared.get(processes);
  const entry = filters?.get(`${name} ${owner}`);
  if (!filters || !entry) return;
  entry.users -= 1;
  if (entry.users > 0) return;
  filters.delete(`${name} ${owner}`);
  await entry.filter.end();
}
