import { z } from 'zod';
import { type AuditRequest, type Finding, findingSchema } from '../audit/finding.ts';
import { errors } from '../errors.ts';
import type { Store } from '../redis/store.ts';
import type { Caller } from './caller.ts';
import type { NodeCommand } from './command.ts';

/** Commands to nodes themselves, sent from anywhere. */
export class NodeCommands {
  private readonly store: Store;
  private readonly caller: Caller;
  private readonly topic: string;

  constructor(store: Store, caller: Caller, topic: string) {
    this.store = store;
    this.caller = caller;
    this.topic = topic;
  }

  /**
   * What does not fit together on a node, and in its records. Throws NodeNotFound, NodeDown, NoAnswer when the node does not
   * answer in time, and what keeps it from looking.
   */
  async audit(node: string, request: AuditRequest, { deadlineMs }: { deadlineMs: number }): Promise<Finding[]> {
    const outcome = await this.caller.call({
      deadlineMs,
      look: () => Promise.resolve(undefined), // nothing but the answer tells
      send: async (asker) => {
        const { recordsOnly = false, remove, repair } = request;
        const command: NodeCommand = { operation: 'audit', repair, recordsOnly, remove: [...remove], ...asker };
        const [word] = await this.store.run('ask', node, this.topic, JSON.stringify(command));
        if (word === 'NodeNotFound') throw errors.noNode(node);
        if (word === 'NodeDown') throw errors.nodeDown(node);
      },
    });
    if (!outcome) throw errors.noAnswer(node, Math.round(deadlineMs / 1000));
    if ('fault' in outcome) throw outcome.fault;
    return z.array(findingSchema).parse(outcome.result);
  }
}
