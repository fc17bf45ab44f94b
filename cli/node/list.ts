import { Node } from '../../lib/models/node.ts';
import type { Context } from '../context.ts';
import { Table } from '../table.ts';
import { nodeColumns, nodeJson } from './present.ts';

export async function listNodes(context: Context): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const nodes = (await Node.all(session.store)).map((node) => node.state);
  if (output.json) {
    await output.document({ nodes: nodes.map(nodeJson) });
    return;
  }
  await new Table(output, nodeColumns).add(nodes);
  if (nodes.length === 0) output.note('no nodes: start blockstored on a storage node');
}
