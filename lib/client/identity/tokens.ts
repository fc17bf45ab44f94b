import { randomBytes } from 'node:crypto';
import { errors } from '../../errors.ts';
import { newTokenText, parseTokenText } from '../../identity/token-text.ts';
import { type CredentialState, parseCredential } from '../../models/application-credential.ts';
import { assignmentId, parseAssignment } from '../../models/assignment.ts';
import { type Hash, UnreadableError, hashSchema } from '../../models/hash.ts';
import { type ProjectState, parseProject } from '../../models/project.ts';
import type { Role } from '../../models/role.ts';
import { type TokenState, parseToken } from '../../models/token.ts';
import { type UserState, parseUser } from '../../models/user.ts';
import { codeOf } from '../../redis/failures.ts';
import { redisTime } from '../../redis/redis-time.ts';
import { type Edit, commit } from '../../redis/scripts.ts';
import type { Store } from '../../redis/store.ts';
import { removeRecords } from './remove-all.ts';

/** Tokens that a user has at a time; beyond that the one that expires first ends. */
const maxOfUser = 5000;

/** What a valid token means now. */
export interface KnownToken {
  token: TokenState;
  user: UserState;
  /** Undefined for one without a project. */
  project: ProjectState | undefined;
  /** In the project. */
  roles: readonly Role[];
  credential: CredentialState | undefined;
}

export interface NewToken {
  user: Pick<UserState, 'id' | 'generation'>;
  /** '' = none. */
  project: string;
  credential?: string;
  methods: readonly string[];
  lifetimeMs: number;
  /** It ends then at the latest; milliseconds since the epoch, 0 = no such bound. */
  notAfter?: number;
}

/** Returns the text of a new token, which is stored nowhere. Throws SignInRefused where its user has changed meanwhile. */
export async function issueToken(store: Store, request: NewToken): Promise<string> {
  const { user, project, credential = '', methods, lifetimeMs, notAfter = 0 } = request;
  const text = newTokenText({ user: user.id, project, credential });
  const id = parseTokenText(text)?.id ?? '';
  const index = store.keys.userTokens(user.id);
  const [now, count] = await Promise.all([redisTime(store), store.read((redis) => redis.zcard(index))]);
  const surplus = count < maxOfUser ? [] : await store.read((redis) => redis.zrange(index, '0', '1'));
  const expires = Math.min(now + lifetimeMs, notAfter === 0 ? Infinity : notAfter);
  const set = {
    user: user.id,
    generation: user.generation,
    methods: methods.join(','),
    auditId: randomBytes(16).toString('base64url'),
    expires: String(expires),
    ...(project === '' ? {} : { project }),
    ...(credential === '' ? {} : { credential }),
  };
  const outcome = await commit(store, {
    edits: [
      { kind: 'token', id, insert: true, set, stamp: ['issueTime'] },
      { kind: 'user', id: user.id, expect: { generation: user.generation, enabled: 'true' } },
      ...surplus.map((old): Edit => ({ kind: 'token', id: old, remove: true, optional: true })),
    ],
  });
  if (outcome.word !== 'ok') throw errors.signInRefused();
  return text;
}

/**
 * Returns what a token means, undefined where it is not valid: forged, expired, revoked, or its user, project, credential or roles are
 * gone. One round trip. Throws RedisUnreachable.
 */
export async function findToken(store: Store, text: string): Promise<KnownToken | undefined> {
  const claims = parseTokenText(text);
  if (!claims) return undefined;
  const { keys } = store;
  const { id, user, project, credential } = claims;
  const named = [
    keys.token(id),
    keys.user(user),
    ...(project === '' ? [] : [keys.project(project), keys.assignment(assignmentId(user, project))]),
    ...(credential === '' ? [] : [keys.credential(credential)]),
  ];
  const { now, hashes } = await readTogether(store, named);
  try {
    return validated(claims, now, new Map(named.map((key, index) => [key, hashes[index]])), store);
  } catch (error) {
    if (error instanceof UnreadableError) return undefined;
    throw error;
  }
}

/** One that is not valid stays so. */
export async function revokeToken(store: Store, text: string): Promise<void> {
  const claims = parseTokenText(text);
  if (claims) await removeRecords(store, 'token', [claims.id]);
}

/** Throws UnreadableError. */
function validated(
  { id, ...claims }: NonNullable<ReturnType<typeof parseTokenText>>,
  now: number,
  hashes: ReadonlyMap<string, Hash | undefined>,
  { keys }: Store,
): KnownToken | undefined {
  const read = <T>(key: string, parse: (hash: Hash) => T): T | undefined => {
    const hash = hashes.get(key);
    return hash && Object.keys(hash).length > 0 ? parse(hash) : undefined;
  };
  const token = read(keys.token(id), (hash) => parseToken(id, hash));
  const user = read(keys.user(claims.user), (hash) => parseUser(claims.user, hash));
  if (!token || token.expires <= now || !user?.isEnabled || token.generation !== user.generation) return undefined;
  // The text cannot say otherwise, as the hash is of all of it.
  if (token.user !== user.id || token.project !== claims.project || token.credential !== claims.credential)
    return undefined;
  const credential = read(keys.credential(claims.credential), (hash) => parseCredential(claims.credential, hash));
  if (claims.credential !== '' && (!credential || (credential.expires > 0 && credential.expires <= now)))
    return undefined;
  if (claims.project === '') return { token, user, project: undefined, roles: [], credential };
  const project = read(keys.project(claims.project), (hash) => parseProject(claims.project, hash));
  const place = assignmentId(user.id, claims.project);
  const held = read(keys.assignment(place), (hash) => parseAssignment(place, hash))?.roles ?? [];
  const roles = credential ? held.filter((role) => credential.roles.includes(role)) : held;
  if (!project?.isEnabled || roles.length === 0) return undefined;
  return { token, user, project, roles, credential };
}

/** Records by their keys, undefined where one is no hash, and the time of Redis in milliseconds, in one round trip. */
async function readTogether(
  store: Store,
  keys: readonly string[],
): Promise<{ now: number; hashes: readonly (Hash | undefined)[] }> {
  const answers = await store.read(async (redis) => {
    const pipeline = redis.pipeline();
    for (const key of keys) pipeline.hgetall(key);
    pipeline.time();
    return (await pipeline.exec()) ?? [];
  });
  for (const [error] of answers) {
    if (error && codeOf(error) !== 'WRONGTYPE') throw store.connection.explain(error, store.redis);
  }
  const [seconds = 0, micros = 0] = [answers.at(-1)?.[1]].flat().map(Number);
  return {
    now: seconds * 1000 + Math.floor(micros / 1000),
    hashes: answers.slice(0, -1).map(([, value]) => hashSchema.safeParse(value).data),
  };
}
