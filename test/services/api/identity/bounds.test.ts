import test from 'ava';
import { createHash } from 'node:crypto';
import { auditRecords } from '../../../../lib/audit/records.ts';
import { countFailure, lockedFor } from '../../../../lib/client/identity/failures.ts';
import { findToken, issueToken } from '../../../../lib/client/identity/tokens.ts';
import { createUser } from '../../../../lib/client/identity/users.ts';
import type { Store } from '../../../../lib/redis/store.ts';
import { Cluster } from '../../../support/cluster.ts';

let cluster: Cluster;
let store: Store;
test.before(async () => {
  cluster = await Cluster.start();
  store = await cluster.store();
});
test.after.always(() => cluster.close());

const lifetimeMs = 3_600_000;

/** Copies a record until its first index has `total` entries; each copy expires a millisecond later than the one before. */
async function fill(
  record: (id: string) => string,
  { id, indexes, total }: { id: string; indexes: readonly [string, ...string[]]; total: number },
): Promise<void> {
  const hash = await store.redis.hgetall(record(id));
  const missing = total - (await store.redis.zcard(indexes[0]));
  const pipeline = store.redis.pipeline();
  for (let copy = 1; copy <= missing; copy += 1) {
    const name = createHash('sha256').update(`copy ${copy}`).digest('hex').slice(0, id.length);
    const expires = Number(hash['expires']) + copy;
    pipeline.hset(record(name), { ...hash, expires: String(expires) });
    for (const index of indexes) pipeline.zadd(index, expires, name);
  }
  await pipeline.exec();
}

function audit(): Promise<unknown[]> {
  return Array.fromAsync(auditRecords(store, { repair: false }));
}

test.serial('of 5,000 tokens of a user the one that expires first ends with the next one', async (t) => {
  const user = await createUser(store, { name: 'ann', password: 'correct horse' });
  const issue = () => issueToken(store, { user, project: '', methods: ['password'], lifetimeMs });
  const first = await issue();
  const { keys } = store;
  const index = keys.userTokens(user.id);
  const [id = ''] = await store.redis.zrange(index, '0', '-1');
  await fill(keys.token, { id, indexes: [index, keys.tokens()], total: 4999 });
  t.deepEqual(await audit(), []);
  const second = await issue();
  t.truthy(await findToken(store, first));
  t.is(await store.redis.zcard(index), 5000);
  const third = await issue();
  t.is(await findToken(store, first), undefined);
  t.true((await store.redis.zcard(index)) <= 5000);
  for (const text of [second, third]) t.truthy(await findToken(store, text));
  // Of several at once each sees the same surplus: later ones remove the rest.
  const texts = await Promise.all(Array.from({ length: 20 }, issue));
  for (const text of texts) t.truthy(await findToken(store, text));
  t.true((await store.redis.zcard(index)) <= 5020);
  for (let more = 0; more < 20; more += 1) await issue();
  t.true((await store.redis.zcard(index)) <= 5000);
  t.is(await store.redis.zcard(index), await store.redis.zcard(keys.tokens()));
  t.deepEqual(await audit(), []);
});

test.serial('of 10,000 failures to sign in those that are forgotten first go with the next one', async (t) => {
  const { keys } = store;
  const index = keys.allSignInFailures();
  await countFailure(store, { name: 'first' });
  const [id = ''] = await store.redis.zrange(index, '0', '-1');
  await fill(keys.signInFailures, { id, indexes: [index], total: 9990 });
  const locked = { name: 'guessed' };
  for (let guess = 0; guess < 14; guess += 1) await countFailure(store, locked);
  t.deepEqual(await audit(), []);
  t.is(await store.redis.exists(keys.signInFailures(id)), 1);
  for (let guess = 0; guess < 100; guess += 1) {
    await countFailure(store, { name: `name ${guess}` });
    t.true((await store.redis.zcard(index)) <= 10_000);
  }
  t.is(await store.redis.exists(keys.signInFailures(id)), 0);
  t.true((await lockedFor(store, [locked])) > 0);
  t.true((await lockedFor(store, [{ name: 'another' }])) === 0);
  t.deepEqual(await audit(), []);
});
