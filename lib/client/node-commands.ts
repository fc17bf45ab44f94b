import { randomUUID } from 'node:crypto';
import { type AuditRequest, type AuditResult, auditResultSchema } from '../audit/finding.ts';
import { errors } from '../errors.ts';
import { isNodeName } from '../models/node-name.ts';
import { type NodeTask, parseNodeTask } from '../models/node-task.ts';
import { redisTime } from '../redis/redis-time.ts';
import { type ReplyTo, commit } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { topicOf } from './message.ts';
import type { RequestClient } from './request-client.ts';

/** Commands to nodes themselves, sent from anywhere. */
export class NodeCommands {
  private readonly store: Store;
  private readonly client: RequestClient;
  private readonly topic: string;

  constructor(store: Store, client: RequestClient, topic: string) {
    this.store = store;
    this.client = client;
    this.topic = topic;
  }

  /**
   * Returns the differences between the records of a node, its storage and its exports. A request with the same arguments as one
   * that is under way waits for that one. Throws NodeNotFound, NodeDown, NodeBusy, NoAnswer when the node does not answer in time, and
   * what keeps it from examining.
   */
  async audit(node: string, request: AuditRequest, { deadlineMs }: { deadlineMs: number }): Promise<AuditResult> {
    if (!isNodeName(node)) throw errors.noNode(node);
    const end = await this.client.call({
      deadlineMs,
      poll: () => Promise.resolve(undefined), // only the reply has the result
      send: (to) => this.send(node, request, deadlineMs, to),
    });
    if (!end) throw errors.noAnswer(node, deadlineMs);
    if ('fault' in end) throw end.fault;
    return auditResultSchema.parse(end.result);
  }

  private async send(node: string, request: AuditRequest, deadlineMs: number, to: ReplyTo): Promise<void> {
    const { keys } = this.store;
    const time = await redisTime(this.store);
    for (;;) {
      const before = (await this.store.read((redis) => redis.hget(keys.node(node), 'task'))) ?? '';
      const running = parseNodeTask(before);
      const isUnderWay = running !== undefined && running.deadline > time;
      const isSame = isUnderWay && JSON.stringify(running.request) === JSON.stringify(request);
      if (isUnderWay && !isSame) throw errors.nodeBusy(node, 'audit');
      const task: NodeTask = { kind: 'audit', key: randomUUID(), request, deadline: time + deadlineMs };
      const expect = { task: before };
      const outcome = await commit(this.store, {
        frees: true,
        conditions: [{ is: 'up', node }],
        edits: [
          isSame
            ? { kind: 'node', id: node, expect, join: to }
            : {
                kind: 'node',
                id: node,
                expect,
                set: { task: JSON.stringify(task), requesters: to },
              },
        ],
        ...(isSame
          ? {}
          : { commands: [{ topic: topicOf(this.topic, node), message: JSON.stringify({ node: true }) }] }),
      });
      if (outcome.word === 'ok') return;
      if (outcome.word === 'condition') {
        const exists = await this.store.read((redis) => redis.exists(keys.node(node)));
        throw exists === 1 ? errors.nodeDown(node) : errors.noNode(node);
      }
      if (outcome.word === 'absent') throw errors.noNode(node);
    }
  }
}
