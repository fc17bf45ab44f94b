import type { IdentityConnection } from './connection.ts';
import { UnexpectedAnswer, readToken } from './documents.ts';

/** A token is renewed so long before it ends, or after half of its time: clocks differ, and requests take their time. */
const earlyMs = 60_000;

export interface ServiceUser {
  name: string;
  domain: string;
  project: string;
  projectDomain: string;
  /** Reads it anew. */
  password: () => Promise<string>;
}

/** The token by which this node asks the identity service about those of its callers. */
export class ServiceToken {
  private readonly connection: IdentityConnection;
  private readonly user: ServiceUser;
  private current: { token: string; until: number } | undefined;
  private pending: Promise<string> | undefined;

  constructor(connection: IdentityConnection, user: ServiceUser) {
    this.connection = connection;
    this.user = user;
  }

  /** Throws when the service gives none. */
  async get(): Promise<string> {
    if (this.current && Date.now() < this.current.until) return this.current.token;
    this.pending ??= this.signIn().finally(() => {
      this.pending = undefined;
    });
    return this.pending;
  }

  /** The service no longer knows it. */
  drop(token: string): void {
    if (this.current?.token === token) this.current = undefined;
  }

  private async signIn(): Promise<string> {
    const { name, domain, project, projectDomain, password } = this.user;
    const user = { name, domain: { name: domain }, password: await password() };
    const { status, header, text } = await this.connection.send({
      method: 'POST',
      path: '/auth/tokens?nocatalog',
      headers: {},
      body: {
        auth: {
          identity: { methods: ['password'], password: { user } },
          scope: { project: { name: project, domain: { name: projectDomain } } },
        },
      },
    });
    if (status === 401)
      throw new UnexpectedAnswer(`keystone_user ${name} is refused: check its password, project and domains`);
    const token = header('x-subject-token') ?? '';
    if (status !== 201 || token === '')
      throw new UnexpectedAnswer(`the sign-in of ${name} was answered with ${status}`);
    const { expires } = readToken(text);
    const now = Date.now();
    this.current = { token, until: Math.max(expires - earlyMs, now + (expires - now) / 2) };
    return token;
  }
}
