import { z } from 'zod';
import { auditRecords } from '../../lib/audit/records.ts';
import { roles } from '../../lib/models/role.ts';
import type { Store } from '../../lib/redis/store.ts';
import { roleId } from '../../services/api/identity/domain.ts';
import { identityDocument } from '../../services/api/openapi/identity.ts';
import type { Json } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';
import { type Actor, Actors } from './actors.ts';
import { rawRequests } from './hostile.ts';
import { KnownIds } from './known-ids.ts';
import type { Place } from './place.ts';
import { type FuzzRequest, type Operation, Requests, type Turn } from './requests.ts';
import { forgedToken, misplacedSecret, newSecret, plainSecret, secretForm } from './secrets.ts';
import type { Answer, FuzzedService, RequestSource } from './service.ts';
import { type Account, type KnownCredential, signInBody } from './sign-ins.ts';

const prefix = '/identity/v3';
/** What nobody needs a token for. */
const openPaths = /^\/identity\/v3(?:\/?|\/openapi\.json\/?|\/auth\/tokens\/?)(?:\?|$)/;
/** Older ones are mostly gone. */
const maxKnown = 40;
/** What needs the most for a success, or has the most ways to fail. */
const oneCredential = '/users/{user_id}/application_credentials/{credential_id}';
const shares = new Map([
  ['POST /auth/tokens', 6],
  ['POST /users/{user_id}/application_credentials', 4],
  [`GET ${oneCredential}`, 2],
  [`DELETE ${oneCredential}`, 2],
  ['PUT /projects/{project_id}/users/{user_id}/roles/{role_id}', 3],
]);
/** Where many guesses come from: it has to wait. */
const guessing = '127.9.9.9';

const userBody = z.object({ user: z.object({ id: z.string(), name: z.string() }) });
const sentPassword = z.object({ user: z.object({ password: z.string() }) });
const credentialBody = z.object({
  application_credential: z.looseObject({
    id: z.string(),
    name: z.string(),
    user_id: z.string(),
    secret: z.string(),
  }),
});

/** Identity v3. Everybody knows some passwords, secrets and tokens that answers and requests had. */
class IdentitySource implements RequestSource {
  private readonly random: Random;
  private readonly store: Store;
  private readonly actors: Actors;
  private readonly ids: KnownIds;
  private readonly requests: Requests;
  private readonly accounts: Account[] = [];
  private readonly credentials: KnownCredential[] = [];
  private readonly tokens: string[] = [];
  /** Requests that must be refused. */
  private readonly refused = new WeakSet<FuzzRequest>();
  private mustFail = false;

  constructor(random: Random, store: Store, actors: Actors) {
    this.random = random;
    this.store = store;
    this.actors = actors;
    this.ids = new KnownIds(random);
    for (const role of roles) this.ids.add('roles', roleId(role));
    this.ids.add('domains', 'default');
    this.requests = new Requests(random, identityDocument(), {
      someId: () => this.ids.some(''),
      named: (name) => this.named(name),
      turn: (operation) => this.turn(operation),
      shares,
    });
  }

  next(): FuzzRequest {
    const request = this.requests.next();
    if (this.mustFail) this.refused.add(request);
    return request;
  }

  private named(name: string): Json | undefined {
    const { random } = this;
    if (!/^(original_)?password$|^secret$/.test(name)) return undefined;
    return random.chance(0.95) ? newSecret(random) : misplacedSecret(random);
  }

  private turn(operation: Operation): Turn {
    const { random, actors } = this;
    const { call } = operation;
    const actor = actors.of(
      random.chance(0.75) ? 'admin' : (random.pick(['member', 'service', 'reader', 'unscoped']) ?? 'admin'),
    );
    const isForged = random.chance(0.05);
    const own = random.chance(0.9) ? actor.token : (random.pick(this.tokens) ?? actor.token);
    const token = isForged ? forgedToken(random, own) : own;
    const headers: Record<string, string> = {};
    if (random.chance(0.97)) headers['x-auth-token'] = token;
    this.mustFail = isForged || headers['x-auth-token'] === undefined;
    if (operation.template.endsWith('/auth/tokens') && random.chance(0.9))
      headers['x-subject-token'] = this.subject(actor);
    if (random.chance(0.05)) headers['idempotency-key'] = `k${random.between(1, 20)}`;
    const turn = { prefix, headers, idFor: this.idsFor(operation, actor) };
    if (call === 'POST /auth/tokens') return { ...turn, ...this.signIn() };
    if (call === 'POST /users' && random.chance(0.6)) {
      return { ...turn, body: { user: { name: `n${random.between(1, 500)}`, password: plainSecret(random) } } };
    }
    if (call === 'POST /users/{user_id}/password' && random.chance(0.7)) {
      const user = {
        original_password: random.chance(0.7) ? actor.password : newSecret(random),
        password: newSecret(random),
      };
      return { ...turn, body: { user } };
    }
    return turn;
  }

  private subject(actor: Actor): string {
    const { random } = this;
    const known = random.pick([actor.token, ...this.tokens]) ?? '';
    return random.chance(0.7) ? known : forgedToken(random, known);
  }

  private signIn(): Pick<Turn, 'body' | 'from'> {
    const { random, ids } = this;
    const { body, mustFail } = signInBody(random, {
      accounts: [...this.accounts, ...this.actors.all()],
      credentials: this.credentials,
      tokens: this.tokens,
      someProject: () => ids.some('projects'),
    });
    this.mustFail = mustFail;
    // Of a new address nobody has guessed yet.
    const fresh = `127.${random.between(20, 250)}.${random.between(0, 255)}.${random.between(1, 254)}`;
    return { body: random.chance(0.85) ? body : undefined, from: mustFail && random.chance(0.5) ? guessing : fresh };
  }

  private idsFor({ template }: Operation, actor: Actor): Turn['idFor'] {
    const { random, ids } = this;
    const isOfActor = (id: string) => this.actors.all().some((one) => one.id === id || one.project === id);
    const credential = random.pick(this.credentials);
    const isOfCredential = template.endsWith('{credential_id}') && random.chance(0.8);
    const isOwn = random.chance(/\/(?:password|application_credentials)$/.test(template) ? 0.7 : 0.2);
    return (noun) => {
      if (isOfCredential && credential && noun === 'users') return credential.user;
      if (isOfCredential && credential && noun === 'application_credentials') return credential.id;
      if (isOwn && noun === 'users') return actor.id;
      if (isOwn && noun === 'projects') return actor.project;
      // Otherwise requests of nobody would be served for long.
      const found = ids.some(noun);
      return isOfActor(found) && random.chance(0.9) ? ids.some(noun) : found;
    };
  }

  async learn(request: FuzzRequest, answer: Answer, body: unknown): Promise<string | undefined> {
    const { call, path, headers } = request;
    const isSuccess = answer.status < 400;
    // Otherwise that of a hostile header.
    const token = headers['x-auth-token'] ?? '';
    if (answer.status === 401) await this.actors.renew(token);
    const isSignIn = call === 'POST /auth/tokens' && request.method === 'POST';
    if (isSuccess && this.refused.has(request) && (isSignIn || !openPaths.test(path))) return 'was to be refused';
    if (answer.status < 300) this.take(request, answer, body);
    return shownSecret(request, answer);
  }

  private take(request: FuzzRequest, answer: Answer, body: unknown): void {
    this.ids.learn(body, (key) => (key.endsWith('s') ? key : `${key}s`));
    const token = request.method === 'POST' ? answer.headers.get('x-subject-token') : null;
    if (token !== null) keep(this.tokens, token);
    const sent = sentPassword.safeParse(parsed(request.body)).data;
    const user = userBody.safeParse(body).data?.user;
    if (sent && user) keep(this.accounts, { ...user, password: sent.user.password, project: '' });
    const made = credentialBody.safeParse(body).data?.application_credential;
    if (made) keep(this.credentials, { id: made.id, name: made.name, user: made.user_id, secret: made.secret });
  }

  /** Neither records nor their keys have a secret, and audits find nothing. */
  async problems(): Promise<readonly string[]> {
    const { store } = this;
    const problems: string[] = [];
    for await (const names of store.names()) {
      for (const name of names) {
        const key = store.keys.prefix + name;
        const isHash = (await store.redis.type(key)) === 'hash';
        const content = isHash ? JSON.stringify(await store.redis.hgetall(key)) : '';
        if (secretForm.test(`${name} ${content}`)) problems.push(`Redis has a secret: ${name} ${content}`);
      }
    }
    for (const [id, fields] of await store.redis.xrange(store.keys.events(), '-', '+'))
      if (secretForm.test(fields.join(' '))) problems.push(`event ${id} has a secret: ${fields.join(' ')}`);
    for await (const { object, what } of auditRecords(store, { repair: false })) problems.push(`${object}${what}`);
    return problems;
  }
}

export const identity: FuzzedService = {
  flags: { auth_strategy: 'local' },
  raw: rawRequests.map((raw) =>
    typeof raw === 'string' ? raw.replaceAll('/v3/volumes', `${prefix}/auth/tokens`) : raw,
  ),
  source: async ({ store }: Place, random: Random) =>
    new IdentitySource(random, store, await Actors.create(store, random)),
};

/** A secret is shown once, by the answer that makes it; a token by its header. */
function shownSecret({ call }: FuzzRequest, answer: Answer): string | undefined {
  const { headers, body, status } = answer;
  const others = [...headers].filter(([name]) => name !== 'x-subject-token' || status >= 400);
  const isNew = call.startsWith('POST ') && call.endsWith('/application_credentials') && status === 201;
  const shown = isNew ? body.replace(/"secret":"(?:[^"\\]|\\.)*"/, '') : body;
  return secretForm.test(`${shown} ${JSON.stringify(others)}`) ? 'shows a secret' : undefined;
}

function keep<T>(known: T[], one: T): void {
  known.push(one);
  if (known.length > maxKnown) known.shift();
}

function parsed(body: FuzzRequest['body']): unknown {
  try {
    return JSON.parse(String(body));
  } catch {
    return undefined;
  }
}
