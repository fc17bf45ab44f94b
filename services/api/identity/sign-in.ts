import { z } from 'zod';
import { credentialNamed, signIn, signInByCredential } from '../../../lib/client/identity/sign-in.ts';
import { findToken } from '../../../lib/client/identity/tokens.ts';
import { errors } from '../../../lib/errors.ts';
import type { CredentialState } from '../../../lib/models/application-credential.ts';
import type { UserState } from '../../../lib/models/user.ts';
import type { IdentityContext } from './call.ts';
import { isDomain } from './domain.ts';

const text = z.string().max(1024);
const secret = z.string().max(4096);
const domainReference = z.object({ id: text.optional(), name: text.optional() });
const userReference = z.object({ id: text.optional(), name: text.optional(), domain: domainReference.optional() });
const methods = ['password', 'token', 'application_credential'] as const;

const projectScope = z.object({
  project: z.object({ id: text.optional(), name: text.optional(), domain: domainReference.optional() }),
});
const otherScope = z.looseObject({});
const scope = z.union([z.literal('unscoped'), z.object({ unscoped: z.looseObject({}) }), projectScope, otherScope]);
export type Scope = z.output<typeof scope>;

/** `project` of a scope; undefined where it is another one. */
export function projectIn(asked: Scope): z.output<typeof projectScope>['project'] | undefined {
  return projectScope.safeParse(asked).data?.project;
}

const identity = z.object({
  methods: z.array(z.enum(methods)).length(1, 'must have one method'),
  password: z.object({ user: userReference.extend({ password: secret }) }).optional(),
  token: z.object({ id: secret }).optional(),
  application_credential: z
    .object({ id: text.optional(), name: text.optional(), user: userReference.optional(), secret })
    .optional(),
});

/** What clients send for a token. */
export const signInBody = z.object({ auth: z.object({ identity, scope: scope.optional() }) });

/** Who has proven to be whom. */
export interface Proof {
  user: UserState;
  methods: readonly string[];
  credential: CredentialState | undefined;
  /** A token ends then at the latest; milliseconds since the epoch, 0 = no bound. */
  notAfter: number;
  /** The id of the project that a token must be for; '' = any. */
  onlyFor: string;
}

/** Throws InvalidRequest, SignInRefused, SignInLocked, SignInBusy. */
export async function proven(
  context: Pick<IdentityContext, 'store' | 'address'>,
  asked: z.output<typeof identity>,
): Promise<Proof> {
  const [method = 'password'] = asked.methods;
  if (method === 'password') return byPassword(context, required(asked.password, method));
  if (method === 'token') return byToken(context, required(asked.token, method));
  return byCredential(context, required(asked.application_credential, method));
}

async function byPassword(
  { store, address }: Pick<IdentityContext, 'store' | 'address'>,
  { user: { password, ...reference } }: NonNullable<z.output<typeof identity>['password']>,
): Promise<Proof> {
  const user = await signIn(store, { user: userIn(reference), address }, password);
  return { user, methods: ['password'], credential: undefined, notAfter: 0, onlyFor: '' };
}

async function byToken({ store }: Pick<IdentityContext, 'store'>, { id }: { id: string }): Promise<Proof> {
  const known = await findToken(store, id);
  if (!known) throw errors.signInRefused();
  const { user, token, credential } = known;
  return {
    user,
    methods: [...new Set([...token.methods, 'token'])],
    credential,
    notAfter: token.expires,
    onlyFor: credential?.project ?? '',
  };
}

async function byCredential(
  { store, address }: Pick<IdentityContext, 'store' | 'address'>,
  { id, name, user: reference, secret: given }: NonNullable<z.output<typeof identity>['application_credential']>,
): Promise<Proof> {
  const meant =
    id ?? (await credentialNamed(store, userIn(reference ?? {}), required(name, 'application_credential.name')));
  const { user, credential } = await signInByCredential(store, { id: meant, address }, given);
  return {
    user,
    methods: ['application_credential'],
    credential,
    notAfter: credential.expires,
    onlyFor: credential.project,
  };
}

/** Returns the id or the name; for another domain a name that nobody can have. Throws InvalidRequest. */
function userIn({ id, name, domain }: z.output<typeof userReference>): string {
  const reference = required(id ?? name, 'user: id or name');
  return isDomain(domain) ? reference : `${reference}\0${domain?.id ?? domain?.name ?? ''}`;
}

function required<T>(value: T | undefined, place: string): T {
  if (value === undefined) throw errors.invalidRequest([`auth.identity: ${place} is missing`]);
  return value;
}
