import { randomUUID } from 'node:crypto';
import { errors } from '../../lib/errors.ts';
import { type LeaseAnswer, type LeaseOptions, takeLease } from '../../lib/models/take-lease.ts';
import { type LeaseToken, acquireLease, releaseLease } from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';

/** The right to a node's name, held by the daemon that acquired it last; every change of the daemon presents its fencing token. */
export class NodeLease {
  readonly options: LeaseOptions;
  private readonly store: Store;
  private readonly incarnation: string;
  private current: string;

  private constructor(store: Store, options: LeaseOptions, incarnation: string, token: string) {
    this.store = store;
    this.options = options;
    this.incarnation = incarnation;
    this.current = token;
  }

  /** Throws NodeNameTaken, MachineCloned, StateDirTaken. */
  static async acquire(store: Store, options: LeaseOptions): Promise<NodeLease> {
    const incarnation = randomUUID().slice(0, 8);
    const token = await takeLease(options, async (holder): Promise<LeaseAnswer> => {
      const { node, leaseMs } = options;
      const outcome = await acquireLease(store, { node, holder, leaseMs, incarnation, tokenBefore: '' });
      if (outcome.word === 'Fenced') throw errors.fenced(node);
      return outcome;
    });
    return new NodeLease(store, options, incarnation, token);
  }

  /**
   * Acquires the name again, where Redis has lost that this daemon holds it. Throws Fenced where another daemon holds it or has held
   * it since, and where the node was declared lost.
   */
  async reacquire(): Promise<void> {
    const request = { ...this.options, incarnation: this.incarnation, tokenBefore: this.current };
    const outcome = await acquireLease(this.store, request);
    if (outcome.word !== 'ok') throw errors.fenced(this.options.node);
    this.current = outcome.token;
  }

  /** The node is shown as stopped, its name is free at once. Throws Fenced. */
  async release(): Promise<void> {
    if (!(await releaseLease(this.store, this.token))) throw errors.fenced(this.options.node);
  }

  get node(): string {
    return this.options.node;
  }

  /** Presented by every change. */
  get token(): LeaseToken {
    return { node: this.options.node, token: this.current };
  }
}
