import type { AuditRequest, Finding } from '../../lib/audit/finding.ts';
import { Node } from '../../lib/models/node.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { defaultTimeoutMs } from '../volume/wait-options.ts';

/** Options of a command that audits nodes. `timeout` is in milliseconds. */
export interface NodeOptions {
  node?: string;
  timeout?: number;
}

/**
 * Audits one node, or all nodes that are up, in parallel. `notAudited` names the nodes that are not up or failed; each
 * also gets a note. Throws the error of a node given in `node`.
 */
export async function auditNodes(
  session: Session,
  output: Output,
  request: AuditRequest,
  { node, timeout = defaultTimeoutMs }: NodeOptions,
): Promise<{ findings: Finding[]; notAudited: string[] }> {
  const deadline = { deadlineMs: timeout };
  if (node !== undefined)
    return { findings: await session.nodeCommands.audit(node, request, deadline), notAudited: [] };
  const nodes = (await Node.all(session.store)).map(({ state }) => state);
  const notAudited = nodes.filter(({ state }) => state !== 'up').map(({ id }) => id);
  for (const { id, state } of nodes) if (state !== 'up') output.note(`node ${id} is ${state}: not audited`);
  const up = nodes.filter(({ state }) => state === 'up');
  const replies = await Promise.allSettled(up.map(({ id }) => session.nodeCommands.audit(id, request, deadline)));
  const findings = replies.flatMap((reply, index) => {
    if (reply.status === 'fulfilled') return reply.value;
    output.note(reply.reason instanceof Error ? reply.reason.message : String(reply.reason));
    notAudited.push(up[index]?.id ?? '');
    return [];
  });
  return { findings, notAudited };
}
