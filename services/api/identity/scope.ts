import { hasRoles } from '../../../lib/client/identity/sign-in.ts';
import { errors } from '../../../lib/errors.ts';
import { findNamed } from '../../../lib/models/find-named.ts';
import { projectsOf } from '../../../lib/models/project.ts';
import type { Store } from '../../../lib/redis/store.ts';
import { isDomain } from './domain.ts';
import { type Proof, type Scope, projectIn } from './sign-in.ts';

/**
 * Returns the id of the project that a token is to be for; '' = none. Without a scope that is the user's own, where it may have it. Throws
 * SignInRefused, NotOffered.
 */
export async function scopeOf(store: Store, { user, onlyFor }: Proof, asked: Scope | undefined): Promise<string> {
  if (asked === undefined) {
    const own = onlyFor || user.defaultProject;
    return own !== '' && (await isUsable(store, user.id, own)) ? own : '';
  }
  if (asked === 'unscoped' || 'unscoped' in asked) return onlyFor;
  const project = projectIn(asked);
  if (!project) {
    throw errors.notOffered('there are no tokens for a domain or for the system', 'ask for one of a project');
  }
  const reference = project.id ?? project.name ?? '';
  const found = isDomain(project.domain)
    ? await findNamed(store, { records: projectsOf(store), named: store.keys.projectNamed }, reference)
    : undefined;
  if (!found || (onlyFor !== '' && onlyFor !== found.id)) throw errors.signInRefused();
  if (!found.isEnabled || !(await hasRoles(store, user.id, found.id))) throw errors.signInRefused();
  return found.id;
}

async function isUsable(store: Store, user: string, project: string): Promise<boolean> {
  const found = await projectsOf(store).find(project);
  return found?.isEnabled === true && (await hasRoles(store, user, project));
}
