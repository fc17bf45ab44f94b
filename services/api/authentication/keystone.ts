import { errors } from '../../../lib/errors.ts';
import { type KnownToken, UnexpectedAnswer } from '../../../lib/keystone/documents.ts';
import { type IdentityService, describeFailure } from '../../../lib/keystone/identity-service.ts';
import type { Log } from '../../../lib/log.ts';
import type { Caller } from '../caller.ts';
import type { Authenticator, Credentials } from './authenticator.ts';
import { type CacheOptions, TokenCache } from './token-cache.ts';

/** Further requests with unknown tokens are refused: they would keep those out whose tokens are known. */
const maxWaiting = 200;
/** As the header of a request has it. */
const tokenForm = /^[\u0021-\u007E]{1,8192}$/;

export interface KeystoneOptions {
  service: IdentityService;
  log: Log;
  cache: CacheOptions;
}

/** Asks an identity service about tokens. Without it nobody gets in whose token was not validated shortly before. */
export class KeystoneAuthentication implements Authenticator {
  private readonly service: IdentityService;
  private readonly log: Log;
  private readonly cache: TokenCache<KnownToken>;
  private waiting = 0;
  /** Why the service could not be used last; '' = it could. */
  private problem = '';
  /** Whether it did not answer at all: then one request at a time tries. */
  private isAway = false;

  constructor({ service, log, cache }: KeystoneOptions) {
    this.service = service;
    this.log = log;
    this.cache = new TokenCache(cache);
  }

  challenge(): string {
    return `Keystone uri="${this.service.url}"`;
  }

  /**
   * An administrator acts for the project in the path. A token without project has no role. Throws NotAuthenticated, IdentityUnavailable,
   * InvalidRequest.
   */
  async authenticate({ token, project }: Credentials): Promise<Caller> {
    if (token === '') throw errors.notAuthenticated('the request has no token');
    const known = tokenForm.test(token) ? await this.cache.get(token, () => this.find(token)) : undefined;
    if (!known || known.expires <= Date.now()) throw errors.notAuthenticated('the token is not valid, or not any more');
    const { userId, projectId } = known;
    const roles = projectId === '' ? [] : known.roles;
    if (project === '' || projectId === '' || project === projectId) return { userId, projectId, roles };
    if (roles.includes('admin')) return { userId, projectId: project, roles };
    throw errors.invalidRequest([`the token is for project ${projectId}, the path for ${project}`]);
  }

  close(): void {
    this.service.close();
  }

  /** Undefined for a token that the service does not know. Throws IdentityUnavailable. */
  private async find(token: string): Promise<KnownToken | undefined> {
    if (this.waiting >= (this.isAway ? 1 : maxWaiting)) throw errors.identityUnavailable();
    this.waiting += 1;
    try {
      const known = await this.service.validate(token);
      this.noteSuccess();
      return known;
    } catch (error) {
      this.noteFailure(describeFailure(error));
      this.isAway = !(error instanceof UnexpectedAnswer);
      throw errors.identityUnavailable();
    } finally {
      this.waiting -= 1;
    }
  }

  private noteSuccess(): void {
    if (this.problem !== '') this.log.info(`the identity service ${this.service.url} can be used again`);
    this.problem = '';
    this.isAway = false;
  }

  /** One line when it begins. */
  private noteFailure(reason: string): void {
    if (this.problem === '') {
      const hint = 'requests whose tokens were not validated shortly before get 503; "blockstore doctor" checks it';
      this.log.warn(`the identity service ${this.service.url} cannot be used: ${reason}`, { hint });
    }
    this.problem = reason;
  }
}
