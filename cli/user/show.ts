import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { readUser, userFacts, userJson } from './present.ts';

export async function showUser(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { id } = await findUser(session.store, reference);
  const user = await readUser(session.store, id);
  if (output.json) await output.document(userJson(user));
  else await writeFacts(output, userFacts(user));
}
