import type { Context } from '../context.ts';
import { currentUser } from '../current-user.ts';
import { groupJson } from './present.ts';

export interface CreateGroupOptions {
  name?: string;
  description?: string;
  user?: string;
  project: string;
  id?: string;
}

/** Prints the id. Throws InvalidArgument, GroupExists. */
export async function createGroup(context: Context, options: CreateGroupOptions): Promise<void> {
  const { user: userId = currentUser().name, project: projectId, ...rest } = options;
  const { output } = context;
  await using session = await context.open();
  const group = await session.groups.create({ ...rest, userId, projectId });
  if (output.json) await output.document(groupJson(group, []));
  else await output.line(group.id);
}
