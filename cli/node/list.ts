import { everyNode } from '../../lib/models/node.ts';
import type { Context } from '../context.ts';
import { Table } from '../table.ts';
import { nodeColumns, nodeJson } from './present.ts';

export async function listNodes(context: Context): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { nodes, unreadable } = await everyNode(session.store);
  if (output.json) {
    await output.document({ nodes: nodes.map(nodeJson), unreadable });
    return;
  }
  await new Table(output, nodeColumns).add(nodes);
  for (const { id, reason } of unreadable) output.warn(`node ${id} is unreadable: its record ${reason}`);
  if (nodes.length === 0) output.note('no nodes: start blockstored on a storage node');
}
