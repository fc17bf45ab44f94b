import { asError } from '../../lib/errors.ts';
import type { Log } from '../../lib/log.ts';
import type { MessagePlace, NodeCommand } from '../../lib/client/command.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Service } from '../../lib/service.ts';
import type { Audit } from './audit.ts';

/** Carries out what is asked of the node itself, one after the other, and answers. */
export class NodeCommandService implements Service {
  readonly name = 'node-commands';
  private readonly options: { store: Store; audit: Audit; log: Log };
  private readonly stopping = new AbortController();
  private last: Promise<void> = Promise.resolve();

  constructor(options: { store: Store; audit: Audit; log: Log }) {
    this.options = options;
  }

  async start(): Promise<void> {}

  /** What is not done by then stays in the topic, and is carried out at the next start. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.last;
  }

  /** Begins, when those before it have ended. */
  submit(command: NodeCommand, message: MessagePlace): void {
    this.last = this.last.then(() => this.carryOut(command, message));
  }

  private async carryOut(command: NodeCommand, message: MessagePlace): Promise<void> {
    const { store, audit, log } = this.options;
    const { caller, request, repair, recordsOnly = false, remove } = command;
    const { signal } = this.stopping;
    let result = '';
    let fault = '';
    try {
      signal.throwIfAborted();
      const { findings } = await audit.run({ repair, recordsOnly, remove }, signal);
      result = JSON.stringify(findings);
    } catch (error) {
      if (signal.aborted) return;
      fault = JSON.stringify(asError(error).toFault());
    }
    try {
      await store.run('reply', JSON.stringify({ message, answer: { caller, request } }), result, fault);
    } catch (error) {
      // It stays in the topic, and is carried out again at the next start.
      log.warn('an audit could not be answered', { reason: asError(error).message });
    }
  }
}
