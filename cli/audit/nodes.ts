import type { AuditRequest, Finding } from '../../lib/audit/finding.ts';
import { Node } from '../../lib/models/node.ts';
import type { Output } from '../output.ts';
import type { Session } from '../session.ts';
import { defaultTimeoutMs } from '../volume/waiting.ts';

/** Options of a command that asks nodes. `timeout` in milliseconds. */
export interface NodeOptions {
  node?: string;
  timeout?: number;
}

/**
 * Asks one node or all that are up, side by side. Those that are not are named in `silent`. Throws what a node that was named
 * throws; of all, one that fails is said and is among the silent.
 */
export async function askNodes(
  session: Session,
  output: Output,
  request: AuditRequest,
  { node, timeout = defaultTimeoutMs }: NodeOptions,
): Promise<{ findings: Finding[]; silent: string[] }> {
  const deadline = { deadlineMs: timeout };
  if (node !== undefined) return { findings: await session.nodeCommands.audit(node, request, deadline), silent: [] };
  const nodes = (await Node.all(session.store)).map(({ state }) => state);
  const silent = nodes.filter(({ state }) => state !== 'up').map(({ id }) => id);
  for (const { id, state } of nodes) if (state !== 'up') output.note(`node ${id} is ${state}: it was not asked`);
  const up = nodes.filter(({ state }) => state === 'up');
  const answers = await Promise.allSettled(up.map(({ id }) => session.nodeCommands.audit(id, request, deadline)));
  const findings = answers.flatMap((answer, index) => {
    if (answer.status === 'fulfilled') return answer.value;
    output.note(answer.reason instanceof Error ? answer.reason.message : String(answer.reason));
    silent.push(up[index]?.id ?? '');
    return [];
  });
  return { findings, silent };
}
