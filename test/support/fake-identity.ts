import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { json } from 'node:stream/consumers';
import { z } from 'zod';
import type { CertificateFiles } from './certificates.ts';

const signInSchema = z.object({
  auth: z.object({
    identity: z.object({
      methods: z.tuple([z.literal('password')]),
      password: z.object({
        user: z.object({ name: z.string(), domain: z.object({ name: z.string() }), password: z.string() }),
      }),
    }),
    scope: z.object({ project: z.object({ name: z.string(), domain: z.object({ name: z.string() }) }) }),
  }),
});

/** What a token of the fake stands for. */
export interface FakeToken {
  user?: string;
  project?: string | undefined;
  roles?: readonly string[];
  /** Milliseconds from now. */
  lifetimeMs?: number;
  more?: object;
}

/** What is wrong with the answers to questions about tokens: nothing, a status, or what is sent. */
export type Fault =
  | { kind: 'none' }
  | { kind: 'silence' }
  | { kind: 'reset' }
  | { kind: 'half' }
  | { kind: 'status'; status: number; location?: string }
  | { kind: 'text'; text: string };

/** Stands in for an identity service, for answers that a real one gives when it fails. */
export class FakeIdentity {
  readonly url: string;
  password = 'secret';
  fault: Fault = { kind: 'none' };
  /** Whether sign-ins fail as well. */
  hasFaultAtSignIn = true;
  /** How long tokens of those who sign in are valid. */
  ownLifetimeMs = 3_600_000;
  readonly tokens = new Map<string, FakeToken>();
  /** Tokens that were asked about, and how often somebody signed in. */
  readonly asked: string[] = [];
  signIns = 0;
  private readonly server: Server;
  private readonly own = new Map<string, number>();

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
    server.on('request', (request: IncomingMessage, response: ServerResponse) => void this.serve(request, response));
  }

  static async start(certificate?: CertificateFiles): Promise<FakeIdentity> {
    const server = certificate
      ? createTlsServer({ cert: readFileSync(certificate.cert), key: readFileSync(certificate.key) })
      : createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const at = server.address();
    const port = typeof at === 'object' && at ? at.port : 0;
    return new FakeIdentity(server, `${certificate ? 'https' : 'http'}://127.0.0.1:${port}/v3`);
  }

  /** As a restart without its tokens, or a revocation. */
  forgetSignIns(): void {
    this.own.clear();
  }

  async stop(): Promise<void> {
    this.server.close();
    this.server.closeAllConnections();
    await once(this.server, 'close');
  }

  private async serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const isSignIn = request.method === 'POST';
    if (this.fault.kind !== 'none' && (!isSignIn || this.hasFaultAtSignIn)) return this.fail(request, response);
    if (isSignIn) return this.signIn(request, response);
    const token = String(request.headers['x-subject-token'] ?? '');
    this.asked.push(token);
    const expires = this.own.get(String(request.headers['x-auth-token'] ?? ''));
    if (expires === undefined || expires < Date.now()) return answer(response, 401, { error: { code: 401 } });
    const known = this.own.has(token) ? this.ownToken : this.tokens.get(token);
    if (!known) return answer(response, 404, { error: { code: 404 } });
    return answer(response, 200, documentOf(known));
  }

  private async signIn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { auth } = signInSchema.parse(await json(request));
    const { user } = auth.identity.password;
    const isRight = user.name === 'blockstore' && user.domain.name === 'Default' && user.password === this.password;
    if (!isRight || auth.scope.project.name !== 'service') return answer(response, 401, { error: { code: 401 } });
    this.signIns += 1;
    const token = `own-${this.signIns}`;
    this.own.set(token, Date.now() + this.ownLifetimeMs);
    response.setHeader('x-subject-token', token);
    return answer(response, 201, documentOf(this.ownToken));
  }

  private get ownToken(): FakeToken {
    return { user: 'blockstore', project: 'service', roles: ['service'], lifetimeMs: this.ownLifetimeMs };
  }

  private fail({ socket }: IncomingMessage, response: ServerResponse): void {
    const { fault } = this;
    if (fault.kind === 'reset') socket.destroy();
    else if (fault.kind === 'half') {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': 1000 });
      response.write('{"token": {', () => socket.destroy());
    } else if (fault.kind === 'status') {
      const { status, location } = fault;
      response.writeHead(status, location === undefined ? {} : { location }).end('no');
    } else if (fault.kind === 'text') response.end(fault.text);
  }
}

function documentOf({ user = 'u1', project, roles = [], lifetimeMs = 3_600_000, more = {} }: FakeToken): object {
  return {
    token: {
      methods: ['password'],
      expires_at: new Date(Date.now() + lifetimeMs).toISOString().replace('Z', '000Z'),
      user: { id: user, name: user, domain: { id: 'default', name: 'Default' } },
      ...(project === undefined ? {} : { project: { id: project, name: project } }),
      roles: roles.map((name) => ({ id: name, name })),
      ...more,
    },
  };
}

function answer(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}
