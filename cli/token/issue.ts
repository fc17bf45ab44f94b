import { hasRoles } from '../../lib/client/identity/sign-in.ts';
import { findToken, issueToken } from '../../lib/client/identity/tokens.ts';
import { errors } from '../../lib/errors.ts';
import { findProject } from '../../lib/models/project.ts';
import { findUser } from '../../lib/models/user.ts';
import type { Context } from '../context.ts';
import { isoTime } from '../format.ts';

export interface IssueOptions {
  project?: string;
}

/** Prints the token. Throws UserNotFound, ProjectNotFound, RoleNotGranted, SignInRefused for a user that is disabled. */
export async function issueTokenFor(context: Context, reference: string, options: IssueOptions): Promise<void> {
  const { output } = context;
  await using session = await context.open();
  const { store, flags } = session;
  const user = await findUser(store, reference);
  const place = options.project ?? user.defaultProject;
  if (place === '')
    throw errors.usage(`user ${user.name} has no project of its own: give --project`, 'blockstore token issue');
  const project = await findProject(store, place);
  if (!(await hasRoles(store, user.id, project.id))) throw errors.roleNotGranted('', user.name, project.name);
  const lifetimeMs = flags.token_lifetime * 1000;
  const text = await issueToken(store, { user, project: project.id, methods: ['token'], lifetimeMs });
  if (!output.json) return output.line(text);
  const known = await findToken(store, text);
  await output.document({
    token: text,
    user: user.id,
    project: project.id,
    roles: known?.roles ?? [],
    expires: isoTime(known?.token.expires ?? 0),
  });
}
