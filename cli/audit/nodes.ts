import type { AuditRequest, Finding, NotCompared } from '../../lib/audit/finding.ts';
import { everyNode } from '../../lib/models/node.ts';
import type { Output } from '../output.ts';
import { exitCodes } from '../exit-codes.ts';
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
  /** What nodes could not compare. */
  notCompared: NotCompared[];
}

/** Names on stderr what was not examined, also with --quiet, and sets the exit code. Returns whether all was examined. */
export function reportNotExamined(output: Output, { notAudited, notExamined, notCompared }: Audited): boolean {
  const lines = [
    ...notExamined.map((volume) => `not examined, something is under way: volume ${volume}`),
    ...notCompared.map(({ object, reason }) => `not examined: ${object}: ${reason}`),
    ...(notAudited.length === 0 ? [] : [`not examined: ${notAudited.map((name) => `node ${name}`).join(', ')}`]),
  ];
  if (!output.json) for (const line of lines) output.warn(line); // as JSON they are in the result
  const isComplete = notAudited.length + notExamined.length + notCompared.length === 0;
  if (!isComplete) process.exitCode = exitCodes.unavailable;
  return isComplete;
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
    return { ...(await session.nodeCommands.audit(node, request, deadline)), notAudited: [] };
  }
  const { nodes, unreadable } = await everyNode(session.store);
  const audited: Audited = {
    findings: [],
    notAudited: [],
    notExamined: [],
    notCompared: [],
  };
  for (const { id, reason } of unreadable) output.note(`the record of node ${id} ${reason}`);
  for (const { id, state } of nodes) {
    if (state === 'up') continue;
    output.note(`node ${id} is ${state}: not audited`);
    audited.notAudited.push(id);
  }
  // A node repairs its own record, where that cannot be read here.
  const up = [...nodes.filter(({ state }) => state === 'up'), ...unreadable];
  const replies = await Promise.allSettled(up.map(({ id }) => session.nodeCommands.audit(id, request, deadline)));
  replies.forEach((reply, index) => {
    if (reply.status === 'fulfilled') {
      audited.findings.push(...reply.value.findings);
      audited.notExamined.push(...reply.value.notExamined);
      audited.notCompared.push(...reply.value.notCompared);
      return;
    }
    output.note(reply.reason instanceof Error ? reply.reason.message : String(reply.reason));
    audited.notAudited.push(up[index]?.id ?? '');
  });
  return audited;
}
