import type { Json, JsonObject } from '../../services/api/openapi/json-schema.ts';
import type { Random } from '../simulation/random.ts';
import { forgedToken, misplacedSecret, newSecret } from './secrets.ts';

/** A password that a request has set, with which somebody can perhaps sign in. */
export interface Account {
  id: string;
  name: string;
  password: string;
  /** Where it has a role; '' = unknown. */
  project: string;
}

export interface KnownCredential {
  id: string;
  name: string;
  user: string;
  secret: string;
}

/** What requests know. */
export interface Known {
  accounts: readonly Account[];
  credentials: readonly KnownCredential[];
  tokens: readonly string[];
  someProject: () => string;
}

/** Returns the body of a request for a token; `mustFail`: it can get none. */
export function signInBody(random: Random, known: Known): { body: Json; mustFail: boolean } {
  const account = random.pick(known.accounts) ?? nobody;
  const { methods, sections, mustFail } = identity(random, account, known);
  const scope = scopeOf(random, account, known);
  const auth: JsonObject = { identity: { methods, ...sections }, ...(scope === undefined ? {} : { scope }) };
  return { body: { auth }, mustFail };
}

const nobody: Account = { id: '', name: 'nobody', password: '', project: '' };

function identity(
  random: Random,
  account: Account,
  known: Known,
): { methods: Json; sections: JsonObject; mustFail: boolean } {
  const method = random.pick(['password', 'password', 'token', 'application_credential']) ?? 'password';
  const { section, mustFail } = sectionOf(method, random, account, known);
  const wrongMethods: Json[] = [
    [],
    ['saml2'],
    ['password', 'totp'],
    [method, method],
    method,
    null,
    ['external'],
    [[method]],
  ];
  if (random.chance(0.1)) {
    const methods = random.pick(wrongMethods) ?? [];
    return { methods, sections: { [method]: section }, mustFail };
  }
  // The method of another section.
  if (random.chance(0.05)) return { methods: ['token'], sections: { password: section }, mustFail };
  return { methods: [method], sections: { [method]: section }, mustFail };
}

function sectionOf(
  method: string,
  random: Random,
  account: Account,
  known: Known,
): { section: JsonObject; mustFail: boolean } {
  const isRight = random.chance(0.6);
  if (method === 'password') {
    const who: JsonObject = random.chance(0.5) ? { id: account.id } : { name: account.name, domain: { id: 'default' } };
    if (isRight) return { section: { user: { ...who, password: account.password } }, mustFail: false };
    const password = random.chance(0.8) ? newSecret(random) : misplacedSecret(random);
    const other: JsonObject = random.chance(0.3) ? { name: `n${random.between(1, 50)}` } : who;
    return { section: { user: { ...other, password } }, mustFail: true };
  }
  if (method === 'token') {
    const token = random.pick(known.tokens) ?? '';
    return { section: { id: isRight ? token : forgedToken(random, token) }, mustFail: !isRight };
  }
  const credential = random.pick(known.credentials) ?? { id: '0'.repeat(32), name: 'none', user: '', secret: 'none' };
  const { id, name, user, secret } = credential;
  const which: JsonObject = random.chance(0.6) ? { id } : { name, user: { id: user } };
  return { section: { ...which, secret: isRight ? secret : newSecret(random) }, mustFail: !isRight };
}

function scopeOf(random: Random, { project }: Account, { someProject }: Known): Json | undefined {
  if (random.chance(0.5)) return project === '' ? undefined : { project: { id: project } };
  return random.pick<Json | undefined>([
    undefined,
    'unscoped',
    { unscoped: {} },
    { project: { id: someProject() } },
    { project: { id: someProject() } },
    { project: { name: `n${random.between(1, 50)}`, domain: { name: 'Default' } } },
    { project: {} },
    { system: { all: true } },
    { domain: { id: 'default' } },
    { project: { id: someProject(), domain: { id: 'elsewhere' } } },
    [],
  ]);
}
