import { z } from 'zod';
import { isOutOfDescriptors, raiseOpenFiles } from '../blockstore-error.ts';
import { BlockstoreError, errors } from '../errors.ts';
import { closedHint, clusterHint, loadingHint, replicaHint, sentinelHint, unreachableHint } from '../redis-errors.ts';

/** What Redis answers with a code. The text after the code is for people, and never decides. */
const deniedCodes: ReadonlySet<string> = new Set(['NOAUTH', 'WRONGPASS', 'NOPERM', 'DENIED']);
const refusingCodes: ReadonlySet<string> = new Set(['OOM', 'MISCONF', 'NOREPLICAS']);
const passingCodes: ReadonlySet<string> = new Set([
  'LOADING',
  'BUSY',
  'READONLY',
  'UNBLOCKED',
  'MASTERDOWN',
  'CLUSTERDOWN',
  'MOVED',
  'ASK',
  'TRYAGAIN',
]);

/** Answers without a code of their own (ERR): how each begins. */
const noCommand = /^(?:ERR )?(?:unknown command|Unknown Redis command|unknown subcommand|Unknown subcommand)/;
const noScriptAccess = /^(?:ERR )?The user executing the script can't/;
const noDatabase = /^ERR (?:DB index is out of range|invalid DB index|SELECT is not allowed in cluster mode)/;
const noClient = /^ERR max number of clients/;
const noCluster = /^ERR This instance has cluster support disabled/;
const damaged = /^ERR (?:hash value is not an integer|value is not |increment or decrement would overflow)/;

/** What a script of Redis 6 puts before the error of a command that it calls. */
const wrapper = /^(?:ERR Error running script \(call to \w+\): )?(?:@user_script: ?\d+: )+-?/;

/** Errors of the library itself, which have neither code nor class: how each begins. */
const closed = /^(?:Connection is closed\.|Command aborted due to connection close|Stream isn't writeable)/;
const late = /^(?:Command timed out|Socket timeout\.|timeout)/;
const noRedis = /^Unknown RESP type/;
const noSentinel = /^All sentinels are unreachable/;

/** Of a Redis that does not answer, or no longer. */
const plainHints: ReadonlySet<string> = new Set([closedHint, clusterHint, sentinelHint, unreachableHint]);

const replyCommand = z.object({ command: z.object({ name: z.string(), args: z.array(z.unknown()) }) });

/** No node of a Cluster says who has the records; the cause is the failure of the last one that was asked. */
export class NoShardError extends Error {
  override readonly name = 'NoShardError';
}

/** Whether only the end of the connection is known from an error: why it ended is in the last error of the connection. */
export function saysOnlyClosed(error: Error): boolean {
  return error.name === 'MaxRetriesPerRequestError' || closed.test(error.message);
}

/** Whether Redis ended the connection, as far as an error says. */
export function isEnded(error: Error): boolean {
  const code = 'code' in error ? error.code : '';
  return saysOnlyClosed(error) || code === 'EPIPE' || code === 'ECONNRESET';
}

/** Whether no more is known from an error than that nobody answers. */
export function hasPlainHint(error: Error): boolean {
  return !(error instanceof BlockstoreError) || error.hint === undefined || plainHints.has(error.hint);
}

/** Returns why Redis cannot be reached, in place of the words of the library. */
export function reasonOf(error: Error): string {
  if (error.name === 'ReplyError') return replyText(error);
  if (saysOnlyClosed(error)) return 'the connection was closed';
  if (late.test(error.message)) return 'it did not answer in time';
  if (noRedis.test(error.message)) return 'what answers is no Redis';
  if (!noSentinel.test(error.message)) return error.message;
  const last = /Last error: (.+)$/.exec(error.message)?.[1];
  return `no Sentinel names a primary${last === undefined ? '' : `: ${last}`}`;
}

/** Whether Redis is a replica, or was made one: a connection that learns that ends, and another one asks anew for the primary. */
export function isReadOnly(error: Error): boolean {
  return codeOf(error) === 'READONLY';
}

/** Returns the code at the beginning of an answer of Redis; '' where it is none, or another error. */
export function codeOf(error: Error): string {
  return error.name === 'ReplyError' ? (/^[A-Z]+(?= |$)/.exec(replyText(error))?.[0] ?? '') : '';
}

/** Returns what a failed command means as an error of the catalogue, or undefined where that is a fault of the program. */
export function explainFailure(
  error: Error,
  { where, usesTls }: { where: string; usesTls: boolean },
): BlockstoreError | undefined {
  if (error instanceof BlockstoreError) return error;
  if (error instanceof NoShardError) {
    const { cause } = error;
    const explained = cause instanceof Error ? explainFailure(cause, { where, usesTls }) : undefined;
    if (explained?.code === 'RedisDenied') return explained;
    const isNoCluster = cause instanceof Error && noCluster.test(cause.message);
    return errors.redisUnreachable(where, error.message, isNoCluster ? noClusterHint : clusterHint);
  }
  if (error.name === 'ReplyError') return explainReply(error, where);
  if (saysOnlyClosed(error)) return errors.redisUnreachable(where, reasonOf(error), usesTls ? noTlsHint : closedHint);
  if (noRedis.test(error.message)) return errors.redisUnreachable(where, reasonOf(error), noRedisHint);
  if (noSentinel.test(error.message)) return errors.redisUnreachable(where, reasonOf(error), sentinelHint);
  if (late.test(error.message)) {
    return errors.redisUnreachable(where, reasonOf(error), usesTls ? noTlsHint : undefined);
  }
  return explainSystemError(error, where, usesTls);
}

const noTlsHint = 'start Redis; if this port has no TLS, use its TLS port, or redis:// and redis_tls=false';
const clientCertificateHint =
  'blockstore has no certificate of its own: set "tls-auth-clients no" (or optional) in redis.conf';
const certificateHint =
  'set redis_tls_ca to the certificate of its authority, and the host to a name in the certificate';

function explainReply(error: Error, where: string): BlockstoreError | undefined {
  const text = replyText(error);
  const code = codeOf(error);
  if (deniedCodes.has(code)) return errors.redisDenied(where, text, hints.get(code));
  if (noScriptAccess.test(text)) return errors.redisDenied(where, text, aclHint);
  if (refusingCodes.has(code)) return errors.redisRefuses(where, text, hints.get(code));
  if (passingCodes.has(code)) return errors.redisUnreachable(where, text, hints.get(code));
  const { command } = replyCommand.safeParse(error).data ?? {};
  if (noDatabase.test(text)) return errors.noRedisDatabase(where, Number(command?.args[0] ?? 0));
  if (noCommand.test(text)) return errors.redisDenied(where, text, missingHint);
  if (noClient.test(text))
    return errors.redisUnreachable(where, text, 'raise "maxclients" of Redis, or end unused clients');
  return code === 'WRONGTYPE' || damaged.test(text) ? errors.redisDataDamaged(where, text) : undefined;
}

const aclHint =
  'extend the ACL of redis_user; to list the commands, keys and channels that it lacks: blockstore doctor';
const userHint = 'set redis_user and redis_password to a user of this Redis';
const noRedisHint = 'set redis_host, redis_port or redis_url to the host and port of Redis';
const noClusterHint =
  'this Redis is no Cluster: use redis_url, redis_host or redis_sentinels in place of redis_cluster';
const socketHint =
  'let this user reach it: for a socket see unixsocketperm of redis.conf, or add the user to the group of Redis';
const movingHint =
  'wait until the slot with the records is wholly on one shard of the Cluster: "redis-cli --cluster check"';
const missingHint =
  'remove rename-command for it from redis.conf; blockstore needs Redis 6.2 or later; for a Sentinel set redis_sentinels';

const hints: ReadonlyMap<string, string> = new Map([
  ['WRONGPASS', userHint],
  ['NOAUTH', userHint],
  ['NOPERM', aclHint],
  ['DENIED', 'set a password in redis.conf (requirepass, or an ACL user), and redis_password here'],
  ['OOM', 'raise "maxmemory" of Redis; deletes and detaches are still accepted'],
  ['BUSY', 'another application runs a long script: "redis-cli script kill" ends it'],
  ['LOADING', loadingHint],
  ['READONLY', replicaHint],
  ['MASTERDOWN', replicaHint],
  ['CLUSTERDOWN', clusterHint],
  [
    'MOVED',
    'for a node of a Cluster set redis_cluster in place of redis_url or redis_host; where it is set, repeat the command',
  ],
  ['ASK', movingHint],
  ['TRYAGAIN', movingHint],
]);

/** Errors of Node.js and OpenSSL have a code. */
function explainSystemError(error: Error, where: string, usesTls: boolean): BlockstoreError | undefined {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  const isOfTls =
    code === 'EPROTO' || code.startsWith('ERR_SSL_') || (usesTls && (code === 'ECONNRESET' || code === 'ETIMEDOUT'));
  if (code.endsWith('_CERTIFICATE_REQUIRED')) {
    return errors.redisUnreachable(where, 'it asks for a certificate of the client', clientCertificateHint);
  }
  if (isOfTls) return errors.redisUnreachable(where, opensslReason(error), noTlsHint);
  if (/CERT|^UNABLE_TO_|^ERR_TLS_/.test(code)) return errors.redisUnreachable(where, error.message, certificateHint);
  if (code === 'EACCES' || code === 'EPERM') return errors.redisUnreachable(where, error.message, socketHint);
  if (isOutOfDescriptors(code)) return errors.redisUnreachable(where, error.message, raiseOpenFiles);
  if (code === 'ECONNRESET' || code === 'EPIPE') return errors.redisUnreachable(where, error.message, closedHint);
  return /^E(?!RR_)[A-Z_]+$/.test(code) ? errors.redisUnreachable(where, error.message) : undefined;
}

/** Without the place in the source of OpenSSL. */
function opensslReason(error: Error): string {
  return 'reason' in error && typeof error.reason === 'string' ? error.reason : error.message;
}

/** The answer without what scripts put around it. */
function replyText({ message }: Error): string {
  return message
    .replace(wrapper, '')
    .replace(/ script: \w+, on @user_script:\d+\.$/, '')
    .trim();
}
