import type { Finding } from '../../lib/audit/finding.ts';
import { type BlockstoreError, asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { Node } from '../../lib/models/node.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Audit } from './audit.ts';
import type { Consumer } from './consumer.ts';
import type { Numbers } from './numbers.ts';

export interface RecoveryOptions {
  store: Store;
  node: Node;
  audit: Audit;
  consumer: Consumer;
  numbers: Numbers;
  log: Log;
  /** Another daemon has the node's name, or had it since: this one must end. */
  onFenced: (error: BlockstoreError) => void;
}

/** Goes on where Redis has lost something: after a failover, a restart from an older copy, or when it was emptied. */
export class Recovery {
  private readonly options: RecoveryOptions;
  /** The connection over which records and storage were last seen to agree. */
  private agreedOver: number;
  /** Volumes that something was done to whenever they were to be looked at since then. */
  private unseen: { over: number; ids: readonly string[] } = { over: -1, ids: [] };
  private readonly told = new Set<string>();
  private regaining: Promise<void> | undefined;
  private readonly stopping = new AbortController();

  constructor(options: RecoveryOptions) {
    this.options = options;
    this.agreedOver = options.store.connection.count;
  }

  /** The name, or the topics, are not as this daemon left them: it takes them again where nobody else has them. */
  regain(): Promise<void> {
    this.regaining ??= this.enterAgain().finally(() => {
      this.regaining = undefined;
    });
    return this.regaining;
  }

  /** What it is at ends soon; the next start goes on with it. */
  stop(): void {
    this.stopping.abort();
  }

  /** After every loss of the connection: Redis may have gone back in time, and an answer with commands may have been lost. */
  async catchUp(): Promise<void> {
    const { store, audit, consumer } = this.options;
    const { count } = store.connection;
    if (count === this.agreedOver || this.stopping.signal.aborted) return;
    const { signal } = this.stopping;
    await consumer.resume();
    const { findings, busy } = await audit.run({ repair: true, remove: [] }, signal);
    for (const finding of findings) this.tell(finding);
    const { over, ids } = this.unseen;
    this.unseen = { over: count, ids: over === count ? ids.filter((id) => busy.has(id)) : [...busy] };
    const isMended = findings.every(({ trouble }) => trouble === undefined);
    if (this.unseen.ids.length > 0 || !isMended) return;
    this.agreedOver = count;
    this.told.clear();
  }

  /** Once, although what cannot be mended yet is tried again with each report. */
  private tell({ object, what, mend, mended, trouble }: Finding): void {
    const line = `after Redis was away: ${object} ${what}`;
    if (this.told.has(`${line} ${trouble}`)) return;
    this.told.add(`${line} ${trouble}`);
    this.options.log.warn(line, { mend, mended, ...(trouble === undefined ? {} : { trouble }) });
  }

  private async enterAgain(): Promise<void> {
    const { node, numbers, log, onFenced } = this.options;
    try {
      numbers.forget(); // before the name is held again: then creations go on
      await node.enterAgain();
      log.warn(`Redis had lost that this daemon holds the node name ${node.identifier}; it holds it again`);
      this.agreedOver = -1;
      await this.catchUp();
    } catch (thrown) {
      const error = asError(thrown);
      if (error.code === 'Fenced') onFenced(error);
      else log.debug('the node name is not regained yet', { reason: error.message }); // the next report tries again
    }
  }
}
