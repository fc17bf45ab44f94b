import { randomUUID } from 'node:crypto';
import { type Finding, bad, ok, warn } from '../../lib/check.ts';
import { BlockstoreError } from '../../lib/errors.ts';
import type { Connection } from '../../lib/redis/connection.ts';
import { type Keys, makeKeys } from '../../lib/redis/keys.ts';
import { type Role, attemptOf, requiredCommands } from '../../lib/redis/required-commands.ts';

const aclHint = 'extend the ACL of redis_user; see the sample file redis-users.acl';
const missingHint =
  'remove rename-command for them from redis.conf; blockstore needs Redis 6.2 or later; for a Sentinel set redis_sentinels';

/** Tries every command, key and channel that daemon and command line use, without changing anything. */
export async function checkAccess(
  connection: Connection,
  { prefix, isStorage, isCluster }: { prefix: string; isStorage: boolean; isCluster: boolean },
): Promise<Finding[]> {
  const keys = makeKeys(prefix);
  const findings = [await checkKeys(connection, keys), await checkReplies(connection, keys)];
  if (isStorage) findings.push(await checkCommands(connection, keys, 'daemon', { isCluster, level: bad }));
  // A storage node may have another user for its command line.
  const level = isStorage ? warn : bad;
  findings.push(await checkCommands(connection, keys, 'command line', { isCluster, level }));
  return findings;
}

async function checkCommands(
  connection: Connection,
  keys: Keys,
  role: Role,
  { isCluster, level }: { isCluster: boolean; level: typeof bad },
): Promise<Finding> {
  const missing: string[] = [];
  let hint = '';
  for (const command of requiredCommands(role, { isCluster })) {
    if (command === 'PUBLISH' || command === 'SUBSCRIBE') continue; // with their channel
    const refused = await refusalOf(connection, attemptOf(command, keys.access()));
    if (!refused) continue;
    missing.push(command.replace('|', ' '));
    hint = /unknown/i.test(refused.message) ? missingHint : aclHint;
  }
  if (missing.length === 0) return ok(`Redis permits every command of the ${role}`);
  return level(`Redis does not permit commands of the ${role}: ${missing.join(', ')}`, hint);
}

/** One key of each kind: a pattern of the ACL may leave out some. */
async function checkKeys(connection: Connection, keys: Keys): Promise<Finding> {
  const member = randomUUID();
  const { prefix, replies: _, ...named } = keys;
  const refused: string[] = [];
  for (const make of Object.values(named)) {
    const key = make('doctor');
    const read = await refusalOf(connection, ['HGET', key, member]);
    const write = await refusalOf(connection, ['ZREM', key, member]);
    if (isAboutKeys(read) || isAboutKeys(write)) refused.push(key);
  }
  if (refused.length === 0) return ok(`Redis permits every key that begins with ${prefix}`);
  return bad(`Redis does not permit keys such as ${refused.join(', ')}`, `give redis_user the pattern ~${prefix}*`);
}

/** Redis checks the command before its keys: another check names a command that is refused. */
function isAboutKeys(refusal: BlockstoreError | undefined): boolean {
  return refusal !== undefined && /\bkeys?\b/.test(refusal.message) && !/unknown/i.test(refusal.message);
}

async function checkReplies(connection: Connection, keys: Keys): Promise<Finding> {
  const channel = keys.replies(`doctor-${randomUUID()}`);
  const publish = await refusalOf(connection, ['PUBLISH', channel, '']);
  const subscribe = await subscribeRefusal(connection, channel);
  const refused = [...(publish ? ['PUBLISH'] : []), ...(subscribe ? ['SUBSCRIBE'] : [])];
  if (refused.length === 0) return ok('Redis permits the channels of replies');
  const message = `Redis does not permit ${refused.join(' and ')} to channels of replies: requesters would wait in vain`;
  return bad(message, `give redis_user +publish, +subscribe and the pattern &${keys.replies('*')}`);
}

async function subscribeRefusal(connection: Connection, channel: string): Promise<BlockstoreError | undefined> {
  const redis = await connection.another({ hasTimeLimit: true });
  return attempt(connection, () => redis.subscribe(channel));
}

function refusalOf(connection: Connection, [command = '', ...args]: readonly string[]) {
  return attempt(connection, () => connection.redis.call(command, ...args));
}

/** Returns the error by which Redis refuses a command; what it answers to the arguments does not matter. Throws RedisUnreachable. */
async function attempt(connection: Connection, call: () => Promise<unknown>): Promise<BlockstoreError | undefined> {
  try {
    await call();
    return undefined;
  } catch (thrown) {
    const error = connection.explain(thrown);
    if (!(error instanceof BlockstoreError)) return undefined;
    if (error.code === 'RedisUnreachable') throw error;
    return error.code === 'RedisDenied' ? error : undefined;
  }
}
