import { Node } from '../../lib/models/node.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { nodeFacts, nodeJson } from './present.ts';

export async function showNode(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { state } = await Node.lookup(session.store, name);
  if (output.json) await output.document(nodeJson(state));
  else await writeFacts(output, nodeFacts(state));
}
