import test from 'ava';
import { NoShardError, explainFailure } from '../../../lib/redis/failures.ts';

/** What Redis answers, the library throws, and the system reports, and the error of the catalogue that it is. */

const about = { where: 'h:6379', usesTls: false };
const reply = (message: string, command?: { name: string; args: string[] }) =>
  Object.assign(new Error(message), { name: 'ReplyError' }, command ? { command } : {});
const system = (code: string, message = `connect ${code}`) => Object.assign(new Error(message), { code });
const explain = (error: Error, usesTls = false) => explainFailure(error, { ...about, usesTls });

const inScript = ' script: 93f1c8bcbf959b300728f3f6bdb41738984fc65a, on @user_script:309.';
const redis6 = 'ERR Error running script (call to f_93f1c8bcbf959b300728f3f6bdb41738984fc65a): @user_script:7: ';
const replies: [string, string | undefined][] = [
  ['NOAUTH Authentication required.', 'RedisDenied'],
  ['WRONGPASS invalid username-password pair or user is disabled.', 'RedisDenied'],
  ["NOPERM User eve has no permissions to run the 'info' command", 'RedisDenied'],
  ['DENIED Redis is running in protected mode because protected mode is enabled', 'RedisDenied'],
  [`ERR The user executing the script can't run this command or subcommand${inScript}`, 'RedisDenied'],
  [`NOPERM The user executing the script can't run this command or subcommand${inScript}`, 'RedisDenied'],
  [`${redis6}@user_script: 7: The user executing the script can't run this command or subcommand`, 'RedisDenied'],
  ["@user_script: 7: The user executing the script can't run this command or subcommand", 'RedisDenied'],
  ["ERR unknown command 'EVALSHA', with args beginning with: ", 'RedisDenied'],
  [`ERR Unknown Redis command called from script${inScript}`, 'RedisDenied'],
  [`${redis6}@user_script: 7: Unknown Redis command called from Lua script`, 'RedisDenied'],
  ["OOM command not allowed when used memory > 'maxmemory'.", 'RedisRefuses'],
  [`OOM command not allowed when used memory > 'maxmemory'.${inScript}`, 'RedisRefuses'],
  [`${redis6}@user_script: 7: -OOM command not allowed when used memory > 'maxmemory'.`, 'RedisRefuses'],
  ['MISCONF Redis is configured to save RDB snapshots', 'RedisRefuses'],
  ['NOREPLICAS Not enough good replicas to write.', 'RedisRefuses'],
  ['LOADING Redis is loading the dataset in memory', 'RedisUnreachable'],
  ['BUSY Redis is busy running a script.', 'RedisUnreachable'],
  ["READONLY You can't write against a read only replica.", 'RedisUnreachable'],
  [`${redis6}@user_script: 7: -READONLY You can't write against a read only replica.`, 'RedisUnreachable'],
  ['MOVED 1 127.0.0.1:1', 'RedisUnreachable'],
  ['ASK 1 127.0.0.1:1', 'RedisUnreachable'],
  ['CLUSTERDOWN Hash slot not served', 'RedisUnreachable'],
  ['ERR max number of clients reached', 'RedisUnreachable'],
  ['WRONGTYPE Operation against a key holding the wrong kind of value', 'RedisDataDamaged'],
  [`ERR value is not a valid float${inScript}`, 'RedisDataDamaged'],
  // Words that are codes elsewhere, or parts of other words, decide nothing.
  ['ERR the volume was REMOVED; nobody may ASK for it', undefined],
  ['ERR user_script:3: I MOVED it, LOADING, OOM, NOPERM, sentinel, Connection is closed', undefined],
  ["ERR syntax error near 'MISCONF'", undefined],
];

for (const [message, code] of replies) {
  test(`answer: ${message}`, (t) => t.is(explain(reply(message))?.code, code));
}

test('errors of the program are none of Redis, whatever words they have', (t) => {
  for (const message of ['MOVED away', 'the record was removed', 'ask again', 'sentinel', 'OOM', 'NOPERM x']) {
    t.is(explain(new Error(message)), undefined, message);
  }
  t.is(explain(Object.assign(new TypeError('x'), { code: 'ERR_INVALID_ARG_TYPE' })), undefined);
});

test('the library and the system: whoever does not answer is unreachable', (t) => {
  for (const message of [
    'Connection is closed.',
    'Command aborted due to connection close',
    "Stream isn't writeable and enableOfflineQueue options is false",
    'Command timed out',
    "Socket timeout. Expecting data, but didn't receive any in 10000ms.",
    'All sentinels are unreachable. Retrying from scratch after 10ms.',
  ]) {
    t.is(explain(new Error(message))?.code, 'RedisUnreachable', message);
  }
  for (const code of [
    'ECONNREFUSED',
    'ENOENT',
    'EACCES',
    'EPIPE',
    'ETIMEDOUT',
    'EHOSTUNREACH',
    'ENOTFOUND',
    'EAI_AGAIN',
  ]) {
    t.is(explain(system(code))?.code, 'RedisUnreachable', code);
  }
});

test('a connection that ended is described without words of the library', (t) => {
  const words = (error: Error) => explain(error)?.message.replace(/^Redis at h:6379 cannot be reached: /, '');
  const retries = 'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option.';
  for (const error of [
    new Error("Stream isn't writeable and enableOfflineQueue options is false"),
    new Error('Command aborted due to connection close'),
    Object.assign(new Error(retries), { name: 'MaxRetriesPerRequestError' }),
  ]) {
    t.is(words(error), 'the connection was closed');
    t.regex(explain(error)?.hint ?? '', /see its log.* timeout .*client-output-buffer-limit/);
  }
  t.is(
    words(new Error("Socket timeout. Expecting data, but didn't receive any in 10000ms.")),
    'it did not answer in time',
  );
  t.is(
    words(
      new Error('All sentinels are unreachable. Retrying from scratch after 10ms. Last error: connect ECONNREFUSED'),
    ),
    'no Sentinel names a primary: connect ECONNREFUSED',
  );
});

test('each cause has its own hint', (t) => {
  const hint = (error: Error, usesTls = false) => explain(error, usesTls)?.hint ?? '';
  t.regex(hint(reply('WRONGPASS x')), /redis_password/);
  t.regex(hint(reply('NOPERM x')), /extend the ACL/);
  t.regex(hint(reply("ERR unknown command 'X'")), /rename-command/);
  t.regex(hint(reply('ERR max number of clients reached')), /maxclients/);
  t.regex(hint(new Error('All sentinels are unreachable. Last error: ERR x')), /redis_sentinels.*redis_sentinel_name/);
  t.regex(hint(reply('OOM x')), /maxmemory/);
  t.regex(hint(reply('BUSY x')), /script kill/);
  t.regex(hint(reply('READONLY x')), /is a replica.* to the primary/);
  t.regex(hint(reply('MASTERDOWN x')), /is a replica/);
  t.regex(hint(reply('LOADING x')), /^wait .*info persistence/);
  t.regex(hint(reply('CLUSTERDOWN x')), /--cluster check/);
  t.regex(hint(reply('MOVED 1 h:1')), /redis_cluster/);
  for (const code of ['ASK 1 h:1', 'TRYAGAIN x']) t.regex(hint(reply(code)), /wait .*slot/);
  t.regex(hint(new NoShardError('nobody has slot 1')), /redis_cluster.*--cluster check/);
  t.regex(
    hint(new NoShardError('x', { cause: reply('ERR This instance has cluster support disabled') })),
    /no Cluster.*redis_url/,
  );
  t.regex(hint(system('ERR_SSL_WRONG_VERSION_NUMBER'), true), /no TLS/);
  t.regex(hint(system('EPROTO'), true), /no TLS/);
  t.regex(hint(system('ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'), true), /tls-auth-clients/);
  t.regex(hint(system('DEPTH_ZERO_SELF_SIGNED_CERT'), true), /redis_tls_ca/);
  t.regex(hint(system('CERT_HAS_EXPIRED'), true), /redis_tls_ca/);
  t.regex(hint(system('ERR_TLS_CERT_ALTNAME_INVALID'), true), /a name in the certificate/);
  t.regex(hint(system('ECONNREFUSED')), /start Redis/);
  t.regex(hint(system('EACCES')), /unixsocketperm/);
  t.regex(hint(system('EMFILE')), /ulimit -n/);
  t.regex(hint(reply('DENIED Redis is running in protected mode because')), /requirepass/);
  const select = reply('ERR DB index is out of range', { name: 'select', args: ['99'] });
  t.is(explain(select)?.code, 'InvalidFlags');
  t.regex(explain(select)?.message ?? '', /redis_db = 99: Redis at h:6379/);
});

test('what answers and is no Redis is named, and is no fault of the program', (t) => {
  const other = explain(new Error('Unknown RESP type 72 "H". Please report this.'));
  t.is(other?.code, 'RedisUnreachable');
  t.regex(other?.message ?? '', /: what answers is no Redis$/);
  t.regex(explain(reply("ERR unknown command 'zcard'"))?.hint ?? '', /Sentinel.*redis_sentinels/);
});

test('a Cluster whose nodes refuse the password is denied, not unreachable', (t) => {
  const denied = new NoShardError('no node knows', { cause: reply('WRONGPASS invalid username-password pair') });
  t.is(explain(denied)?.code, 'RedisDenied');
  t.is(explain(new NoShardError('no node knows', { cause: system('ECONNREFUSED') }))?.code, 'RedisUnreachable');
});
