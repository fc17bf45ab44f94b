import type { Context } from '../context.ts';
import { attachmentJson } from './present.ts';

/** Prints the id. */
export async function completeAttachment(context: Context, id: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const attachment = await session.attachments.complete(id);
  if (output.json) await output.document(attachmentJson(attachment));
  else await output.line(attachment.id);
}
