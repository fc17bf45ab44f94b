import { findGroup } from '../../lib/models/find-group.ts';
import { volumesOfGroup } from '../../lib/models/group.ts';
import type { Context } from '../context.ts';
import { writeFacts } from '../table.ts';
import { groupFacts, groupJson } from './present.ts';

export async function showGroup(context: Context, reference: string): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const group = await findGroup(session.store, reference);
  const volumes = await volumesOfGroup(session.store, group.id);
  if (output.json) await output.document(groupJson(group, volumes));
  else await writeFacts(output, groupFacts(group, volumes));
}
