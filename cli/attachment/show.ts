import { attachmentsOf } from '../../lib/models/attachment.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { attachmentFacts, attachmentJson } from './present.ts';

export async function showAttachment(context: Context, id: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const attachment = await attachmentsOf(session.store).lookup(id);
  if (output.json) await output.document(attachmentJson(attachment));
  else await writeFacts(output, attachmentFacts(attachment));
}
