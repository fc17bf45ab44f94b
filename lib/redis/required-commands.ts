import { type ScriptName, scripts } from './script-sources.ts';

export type Role = 'daemon' | 'command line';

/** Commands that each role sends itself. test/redis/acl.test.ts compares all lists with what is sent. */
const sent: Readonly<Record<Role, string>> = {
  daemon: `DEL EVAL EVALSHA EXISTS HELLO HEXISTS HGET HGETALL HMGET INFO PEXPIREAT PTTL
    SET SUBSCRIBE TIME WAIT XDEL XLEN XREAD XREVRANGE ZADD ZCARD ZMSCORE ZRANGE ZREM ZREMRANGEBYSCORE ZSCORE`,
  'command line': `DEL EVAL EVALSHA EXISTS HELLO HGET HGETALL HSCAN INFO PERSIST PEXPIREAT PTTL SCAN SET
    SUBSCRIBE TIME TYPE WAIT XREAD XREVRANGE ZCARD ZRANGE ZREM ZSCAN ZSCORE`,
};

/** Scripts that each role runs. */
const run: Readonly<Record<Role, readonly ScriptName[]>> = {
  daemon: [
    'commit',
    'acquire_lease',
    'release_lease',
    'report',
    'repeat_report',
    'hide_backend',
    'claim_shelf',
    'release_shelf',
    'begin_catch_up',
  ],
  'command line': ['commit', 'hide_backend', 'release_shelves', 'check_record', 'check_entry', 'check_shelf'],
};

/** Returns every command that a role needs, in capitals; a Cluster needs two more. */
export function requiredCommands(role: Role, { isCluster = false } = {}): ReadonlySet<string> {
  const inScripts = run[role].flatMap((name) => Array.from(scripts.get(name)?.commands ?? []));
  const ofCluster = isCluster ? ['CLUSTER|KEYSLOT', 'CLUSTER|SLOTS'] : [];
  return new Set([...sent[role].split(/\s+/), ...inScripts, ...ofCluster]);
}

/** Arguments, for a key that does not exist, with which a command changes nothing. Redis checks names, keys and rights before them. */
const attempts: Readonly<Record<string, readonly string[]>> = {
  'CLUSTER|KEYSLOT': ['CLUSTER', 'KEYSLOT', 'x'],
  'CLUSTER|SLOTS': ['CLUSTER', 'SLOTS'],
  EVAL: ['EVAL', 'return 1', '0'],
  EVALSHA: ['EVALSHA', '0'.repeat(40), '0'],
  HELLO: ['HELLO'],
  HEXISTS: ['HEXISTS', 'KEY', 'x'],
  HDEL: ['HDEL', 'KEY', 'x'],
  HGET: ['HGET', 'KEY', 'x'],
  HMGET: ['HMGET', 'KEY', 'x'],
  HSCAN: ['HSCAN', 'KEY', '0'],
  HSET: ['HSET', 'KEY', 'x', 'y', 'z'],
  INFO: ['INFO', 'server'],
  PEXPIRE: ['PEXPIRE', 'KEY', '1'],
  PEXPIREAT: ['PEXPIREAT', 'KEY', '0'],
  SCAN: ['SCAN', '0', 'COUNT', '1'],
  SET: ['SET', 'KEY', 'x', 'XX'],
  TIME: ['TIME'],
  WAIT: ['WAIT', '0', '1'],
  XADD: ['XADD', 'KEY', 'NOMKSTREAM', '*', 'm', ''],
  XDEL: ['XDEL', 'KEY', '0-1'],
  XREVRANGE: ['XREVRANGE', 'KEY', '+', '-', 'COUNT', '1'],
  XREAD: ['XREAD', 'COUNT', '1', 'STREAMS', 'KEY', '0'],
  ZADD: ['ZADD', 'KEY', 'XX', '0', 'x'],
  ZCOUNT: ['ZCOUNT', 'KEY', '1', '0'],
  ZMSCORE: ['ZMSCORE', 'KEY', 'x'],
  ZRANGE: ['ZRANGE', 'KEY', '0', '0'],
  ZREM: ['ZREM', 'KEY', 'x'],
  ZREMRANGEBYSCORE: ['ZREMRANGEBYSCORE', 'KEY', '1', '0'],
  ZSCAN: ['ZSCAN', 'KEY', '0'],
  ZSCORE: ['ZSCORE', 'KEY', 'x'],
};

/** Returns a call of a command that changes nothing; commands without further arguments take the key alone. */
export function attemptOf(command: string, key: string): readonly string[] {
  return (attempts[command] ?? [command, 'KEY']).map((word) => (word === 'KEY' ? key : word));
}
