import { findTransfer } from '../../lib/models/find-transfer.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { transferFacts, transferJson } from './present.ts';

export async function showTransfer(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const transfer = await findTransfer(session.store, reference);
  if (output.json) await output.document(transferJson(transfer));
  else await writeFacts(output, transferFacts(transfer));
}
