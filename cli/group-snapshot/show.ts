import { findGroupSnapshot } from '../../lib/models/find-group-snapshot.ts';
import { membersOf } from '../../lib/models/group-snapshot.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { groupSnapshotFacts, groupSnapshotJson } from './present.ts';

export async function showGroupSnapshot(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const found = await findGroupSnapshot(session.store, reference);
  const snapshots = await membersOf(session.store, found.id);
  if (output.json) await output.document(groupSnapshotJson(found, snapshots));
  else await writeFacts(output, groupSnapshotFacts(found, snapshots));
}
