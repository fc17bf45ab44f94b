import { findSnapshot } from '../../lib/models/find-snapshot.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { snapshotFacts, snapshotJson } from './present.ts';

export async function showSnapshot(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const snapshot = await findSnapshot(session.store, reference);
  if (output.json) await output.document(snapshotJson(snapshot));
  else await writeFacts(output, snapshotFacts(snapshot));
}
