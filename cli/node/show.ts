import { lookupNode } from '../../lib/models/node.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { nodeFacts, nodeJson } from './present.ts';

export async function showNode(context: Context, name: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const node = await lookupNode(session.store, name);
  if (output.json) await output.document(nodeJson(node));
  else await writeFacts(output, nodeFacts(node));
}
