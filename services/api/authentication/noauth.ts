import { errors } from '../../../lib/errors.ts';
import type { Caller } from '../caller.ts';
import type { Authenticator, Credentials } from './authenticator.ts';

/** As the command line has it. */
const defaultProject = 'default';

/** Believes every caller, and lets it do everything. A token `user:project` names both. */
export class NoAuthentication implements Authenticator {
  readonly trustsEverybody = true;

  async authenticate({ token, project }: Credentials): Promise<Caller> {
    const [user = '', named = ''] = token.split(':', 2);
    if (named !== '' && project !== '' && named !== project) {
      throw errors.invalidRequest([`the token is for project ${named}, the path for ${project}`]);
    }
    return { userId: user || 'admin', projectId: named || project || defaultProject, roles: ['admin'] };
  }
}
