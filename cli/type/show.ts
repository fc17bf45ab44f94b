import { findType } from '../../lib/models/find-type.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { typeFacts, typeJson } from './present.ts';

export async function showType(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const type = await findType(session.store, reference);
  if (output.json) await output.document(typeJson(type));
  else await writeFacts(output, typeFacts(type));
}
