import { errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { silentLog } from '../../lib/log.ts';
import type { Authenticator, Credentials } from '../../services/api/authentication/authenticator.ts';
import { type Caller, roles } from '../../services/api/caller.ts';
import { ApiServer } from '../../services/api/server.ts';
import { ApiClient } from './api.ts';
import type { Cluster } from './cluster.ts';

/** The word for none of the roles in a token. */
const noRole = 'none';

/** Believes a token of the form `user:project:role`. */
class TokenRoles implements Authenticator {
  async authenticate({ token, project }: Credentials): Promise<Caller> {
    const [userId = '', projectId = '', text] = token.split(':');
    const own = roles.filter((one) => one === text);
    const isKnown = own.length > 0 || text === noRole;
    if (!isKnown || (project !== '' && project !== projectId)) throw errors.notAuthenticated('the token is not valid');
    return { userId, projectId, roles: own };
  }
}

/** An API whose callers are who their tokens say. The caller closes it. */
export async function startApiWithRoles(
  cluster: Cluster,
  given: Partial<Record<keyof Flags, string>> = {},
): Promise<{ close: () => Promise<void>; as: (project: string, role: string) => ApiClient }> {
  const flags = cluster.flags(given);
  const options = { flags, store: await cluster.store(flags), log: silentLog, authenticator: new TokenRoles() };
  const { fastify } = new ApiServer(options);
  const url = await fastify.listen({ host: '127.0.0.1', port: 0 });
  const client = new ApiClient(url);
  return {
    close: () => fastify.close(),
    as: (project, role) => client.with({ 'x-auth-token': `user:${project}:${role}` }),
  };
}
