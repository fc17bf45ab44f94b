import { grantRole, revokeRole } from '../../lib/client/identity/assignments.ts';
import { findProject } from '../../lib/models/project.ts';
import { rolesIn } from '../../lib/models/role.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { readUser, userJson } from './present.ts';

/** Prints the id of the user. Throws UserNotFound, ProjectNotFound, RoleNotGranted. */
export async function changeRole(
  context: Context,
  verb: 'grant' | 'revoke',
  { reference, role, project: place }: { reference: string; role: string; project: string },
): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store } = session;
  const user = await findUser(store, reference);
  const project = await findProject(store, place);
  const change = verb === 'grant' ? grantRole : revokeRole;
  for (const one of rolesIn(role)) await change(store, user.id, project.id, one);
  if (output.json) await output.document(userJson(await readUser(store, user.id)));
  else await output.line(user.id);
}
