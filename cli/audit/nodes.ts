import type { AuditRequest, Finding } from '../../lib/audit/finding.ts';
import { everyNode } from '../../lib/models/node.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { defaultTimeoutMs } from '../volume/wait-options.ts';

/** Options of a command that audits nodes. `timeout` is in milliseconds. */
export interface NodeOptions {
  node?: string;
  timeout?: number;
}

export interface Audited {
  findings: Finding[];
  /** Nodes that are not up, failed, or have an unreadable record. */
  notAudited: string[];
  /** Volumes that had something under way. */
  notExamined: string[];
}

/** Audits one node, or all nodes that are up, in parallel. Throws the error of a node given in `node`. */
export async function auditNodes(
  session: Session,
  output: Output,
  request: AuditRequest,
  { node, timeout = defaultTimeoutMs }: NodeOptions,
): Promise<Audited> {
  const deadline = { deadlineMs: timeout };
  if (node !== undefined) {
    const { findings, notExamined } = await session.nodeCommands.audit(node, request, deadline);
    return { findings, notAudited: [], notExamined };
  }
  const { nodes, unreadable } = await everyNode(session.store);
  const audited: Audited = { findings: [], notAudited: unreadable.map(({ id }) => id), notExamined: [] };
  for (const { id, reason } of unreadable) output.note(`the record of node ${id} ${reason}`);
  for (const { id, state } of nodes) {
    if (state === 'up') continue;
    output.note(`node ${id} is ${state}: not audited`);
    audited.notAudited.push(id);
  }
  const up = nodes.filter(({ state }) => state === 'up');
  const replies = await Promise.allSettled(up.map(({ id }) => session.nodeCommands.audit(id, request, deadline)));
  replies.forEach((reply, index) => {
    if (reply.status === 'fulfilled') {
      audited.findings.push(...reply.value.findings);
      audited.notExamined.push(...reply.value.notExamined);
      return;
    }
    output.note(reply.reason instanceof Error ? reply.reason.message : String(reply.reason));
    audited.notAudited.push(up[index]?.id ?? '');
  });
  return audited;
}
