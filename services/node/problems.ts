import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Backends } from './backends.ts';

/** What keeps volumes of this node from being served; each is logged when it begins and when it is over. */
export class Problems {
  private readonly backends: Backends;
  private readonly log: Log;
  private readonly unserved = new Map<string, BlockstoreError>();
  private readonly unreadable = new Map<string, string>();
  /** Storage here of volumes whose records are other nodes'. */
  private readonly foreign = new Map<string, BlockstoreError>();
  /** Exports that are to end, and do not. */
  private readonly staying = new Map<string, BlockstoreError>();
  /** Why records of deleted volumes, whose storage is still to be removed, cannot be read. */
  private unreadableDeletions: ReadonlyMap<string, string> = new Map();
  private foreignAnswers: ReadonlyMap<string, string> = new Map();
  private reported: readonly string[] = [];

  constructor(backends: Backends, log: Log) {
    this.backends = backends;
    this.log = log;
  }

  /** One line each, for a report of the node. Logs those that are over since the last report. */
  report(): string[] {
    const lines = this.current();
    const present = new Set(lines);
    for (const line of this.reported) if (!present.has(line)) this.log.info(`this problem is over: ${line}`);
    this.reported = lines;
    return this.log.problem === undefined ? lines : [this.log.problem, ...lines];
  }

  private current(): string[] {
    const ofTargets = this.backends.served.flatMap(({ target }) => target.problems());
    return [
      // All volumes of a backend that is not served have one problem.
      ...new Set([...this.unserved.values(), ...this.foreign.values()].map((error) => error.message)),
      ...Array.from(this.staying.values(), (error) => error.message),
      ...ofTargets.flatMap(({ id, error }) => (id === undefined || this.unserved.has(id) ? [] : [error.message])),
      ...Array.from(this.unreadable, ([id, reason]) => `the record of volume ${id} ${reason}`),
      ...Array.from(this.unreadableDeletions, ([id, reason]) => `the record of the deleted volume ${id} ${reason}`),
      ...Array.from(this.foreignAnswers, ([address, who]) => `${who} answers at address ${address}`),
    ];
  }

  /** Volumes that are worth another try. */
  get volumes(): readonly string[] {
    return [...this.unserved.keys(), ...this.unreadable.keys()];
  }

  /** Volumes whose exports are to end, and could not be ended yet. */
  get strayExports(): readonly string[] {
    return [...this.staying.keys()];
  }

  get foreignVolumes(): readonly string[] {
    return [...this.foreign.keys()];
  }

  get unreadableVolumes(): readonly string[] {
    return [...this.unreadable.keys()];
  }

  /** A failure of one volume is reported, and does not keep the others from being served. Throws Fenced, RedisUnreachable. */
  async during(id: string, work: () => Promise<void>): Promise<void> {
    await this.note(this.unserved, id, `volume ${id} cannot be served`, work);
  }

  /** Ends an export that should not run. A failure is reported, and keeps nothing else from being served. */
  async ending(id: string, work: () => Promise<void>): Promise<void> {
    await this.note(this.staying, id, `the export of volume ${id} is to end and does not`, work);
  }

  /** Storage here may become that of a volume whose record is another node's. A failure is reported until then. */
  async following(id: string, work: () => Promise<void>): Promise<void> {
    await this.note(this.foreign, id, `the storage of volume ${id} is not taken`, work);
  }

  noteForeign(id: string, error: BlockstoreError): void {
    this.foreign.set(id, error);
  }

  /** An export that was to end, and did not: it is tried again with each report. */
  noteStrayExport(id: string, error: BlockstoreError): void {
    this.staying.set(id, error);
  }

  private async note(
    failures: Map<string, BlockstoreError>,
    id: string,
    what: string,
    work: () => Promise<void>,
  ): Promise<void> {
    try {
      await work();
      failures.delete(id);
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced' || error.code === 'RedisUnreachable') throw error;
      const { message, hint } = error;
      // A backend that is not served is logged once, not with each of its volumes.
      if (error.code !== 'BackendUnavailable' && failures.get(id)?.message !== message) {
        this.log.error(`${what}: ${message}`, hint === undefined ? {} : { hint });
      }
      failures.set(id, error);
    }
  }

  noteUnreadable(id: string, reason: string): void {
    if (!this.unreadable.has(id)) this.log.error(`the record of volume ${id} ${reason}; it is not changed`);
    this.unreadable.set(id, reason);
  }

  /** Deleted volumes whose storage stays, with the reasons why their records cannot be read. */
  noteUnreadableDeletions(reasons: ReadonlyMap<string, string>): void {
    for (const [id, reason] of reasons) {
      if (this.unreadableDeletions.has(id)) continue;
      this.log.error(`the record of the deleted volume ${id} ${reason}; its storage is not removed`);
    }
    this.unreadableDeletions = reasons;
  }

  clearUnreadable(id: string): void {
    this.unreadable.delete(id);
  }

  /** The volume is served, or is no longer this node's. */
  clear(id: string): void {
    this.unserved.delete(id);
  }

  /** Addresses of volumes here at which others answer, with their descriptions. */
  noteForeignAnswers(answers: ReadonlyMap<string, string>): void {
    for (const [address, who] of answers) {
      if (!this.foreignAnswers.has(address)) this.log.error(`${who} answers at address ${address}`);
    }
    this.foreignAnswers = answers;
  }
}
