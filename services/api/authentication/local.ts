import { findToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Caller } from '../caller.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** Knows the tokens that the nodes of this cluster have issued, by their records in Redis. */
export class LocalAuthentication implements Authenticator {
  private readonly store: Store;

  constructor(store: Store) {
    this.store = store;
  }

  challenge(origin: string): string {
    return `Keystone uri="${origin}/identity/v3"`;
  }

  /** An administrator acts for the project in the path. A token without project has no role. */
  async authenticate({ token, project }: Credentials): Promise<Caller> {
    if (token === '') throw errors.notAuthenticated('the request has no token');
    const known = await findToken(this.store, token);
    if (!known) throw errors.notAuthenticated('the token is not valid, or not any more');
    const { user, roles } = known;
    const own = known.project?.id ?? '';
    if (project !== '' && own !== '' && project !== own) {
      if (!roles.includes('admin')) {
        throw errors.invalidRequest([`the token is for project ${own}, the path for ${project}`]);
      }
      return { userId: user.id, projectId: project, roles };
    }
    return { userId: user.id, projectId: own, roles };
  }
}
