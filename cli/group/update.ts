import { errors } from '../../lib/errors.ts';
import { findGroup } from '../../lib/models/find-group.ts';
import { findVolume } from '../../lib/models/find-volume.ts';
import { volumesOfGroup } from '../../lib/models/group.ts';
import type { Context } from '../context.ts';
import { groupJson } from './present.ts';

export interface UpdateGroupOptions {
  name?: string;
  description?: string;
  add?: readonly string[];
  remove?: readonly string[];
}

/** Prints the id. Throws what GroupCommands.update() throws. */
export async function updateGroup(context: Context, reference: string, options: UpdateGroupOptions): Promise<void> {
  const { add = [], remove = [], ...described } = options;
  if (Object.keys(options).length === 0) throw errors.usage('nothing is to be changed', 'blockstore group update');
  const { output } = context;
  await using session = await context.open();
  const { store, groups } = session;
  const { id } = await findGroup(store, reference);
  const idsOf = (references: readonly string[]) =>
    Promise.all(references.map(async (volume) => (await findVolume(store, volume)).id));
  const group = await groups.update(id, { ...described, add: await idsOf(add), remove: await idsOf(remove) });
  if (output.json) await output.document(groupJson(group, await volumesOfGroup(store, id)));
  else await output.line(group.id);
}
