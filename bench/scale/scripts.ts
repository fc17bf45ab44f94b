import { setTimeout as pause } from 'node:timers/promises';
import { z } from 'zod';
import { removeNode } from '../../lib/client/remove-node.ts';
import { backendId } from '../../lib/models/backend.ts';
import type { Redis } from '../../lib/redis/connection.ts';
import { scripts } from '../../lib/redis/script-sources.ts';
import {
  acquireLease,
  beginCatchUp,
  checkRecord,
  checkShelf,
  claimShelf,
  hideBackend,
  isStrayEntry,
  releaseLease,
  releaseShelf,
} from '../../lib/redis/scripts.ts';
import type { Store } from '../../lib/redis/store.ts';
import { deadline, newVolume } from '../client.ts';
import { median, timesOf } from '../figures.ts';
import type { SimulatedCluster } from './cluster.ts';
import { backendName, nodeName, presentVolume } from './layout.ts';

/** Median microseconds of processor time in Redis, by what the script did. */
export type ScriptCosts = ReadonlyMap<string, number>;

const runs = 300;
/** More than one report of every node. */
const reportsMs = 12_000;
/** Microseconds: less than any script takes, more than most of the commands inside them, whose entries would cost time. */
const loggedFrom = '3';

const entrySchema = z.tuple([z.number(), z.number(), z.number(), z.array(z.string())]).rest(z.unknown());

/** Every script as the product calls it, its time taken from the SLOWLOG of Redis. */
export async function scriptCosts(cluster: SimulatedCluster): Promise<ScriptCosts> {
  const { client, layout } = cluster;
  const { store, commands } = client;
  const log = new ScriptLog(store.redis);
  await log.start();
  await pause(reportsMs);
  await log.collect((script) => (script === 'report' ? script : undefined));

  const ids: string[] = [];
  await timesOf(runs, async () => ids.push((await commands.create(newVolume, deadline)).id));
  await log.collect(sidesOf('create'));
  const attachment = { instanceId: 'bench', mountpoint: '/dev/vdb' };
  await timesOf(runs, (index) => commands.attach(ids[index] ?? '', attachment, deadline));
  await log.collect(sidesOf('attach'));
  await timesOf(runs, (index) => commands.detach(ids[index] ?? '', deadline));
  await log.collect(sidesOf('detach'));
  await timesOf(runs, (index) => commands.delete(ids[index] ?? '', deadline));
  await log.collect(sidesOf('delete'));

  await callOthers(store);
  await timesOf(runs, async (index) => {
    const { id } = presentVolume(0, index % layout.perNode, layout);
    await checkRecord(store, 'volume', id, false);
    await isStrayEntry(store, { kind: 'volume', id, index: 'volumes', member: id }, false);
  });
  await log.collect((script) => (script === 'commit' || script === 'report' ? undefined : script));
  await log.end();
  return log.costs;
}

/** Scripts of starts, failovers and shelves. */
async function callOthers(store: Store): Promise<void> {
  const own = nodeName(0);
  const node = 'bench-node';
  const lease = { node, holder: 'bench', leaseMs: 60_000, incarnation: 'bench' };
  await timesOf(runs, async () => {
    const outcome = await acquireLease(store, { ...lease, tokenBefore: '' });
    if (outcome.word !== 'ok') throw new Error(`acquire_lease: ${outcome.word}`);
    const { token } = outcome;
    for (let claims = 0; claims < 2; claims += 1) {
      const claim = await claimShelf(store, { node, token, first: 1, last: 65_534 });
      if (claim.word !== 'ok') throw new Error(`claim_shelf: ${claim.word}`);
      await checkShelf(store, String(claim.shelf), node, false);
      // The other one is left to the removal of the node.
      if (claims === 0) await releaseShelf(store, { node, token, shelf: claim.shelf });
    }
    await hideBackend(store, backendId(own, backendName), own);
    await beginCatchUp(store, { node, places: 50, lengthMs: 60_000 });
    await store.redis.zrem(store.keys.catchingUp(), node);
    await releaseLease(store, { node, token });
    await removeNode(store, node, { topic: 'volume' });
  });
}

/** A change set with an owner comes from a node, another one from the requester. */
function sidesOf(what: string): (script: string, argument: string) => string | undefined {
  return (script, argument) => {
    if (script !== 'commit') return undefined;
    return `commit, ${what}: ${argument.startsWith('{"owner"') ? 'its end' : 'its start'}`;
  };
}

class ScriptLog {
  readonly costs = new Map<string, number>();
  private readonly redis: Redis;
  private readonly names: ReadonlyMap<string, string>;

  constructor(redis: Redis) {
    this.redis = redis;
    this.names = new Map(Array.from(scripts, ([name, { sha }]) => [sha, name]));
  }

  async start(): Promise<void> {
    await this.redis.config('SET', 'slowlog-max-len', '200000');
    await this.redis.config('SET', 'slowlog-log-slower-than', loggedFrom);
    await this.redis.slowlog('RESET');
  }

  async end(): Promise<void> {
    await this.redis.config('SET', 'slowlog-log-slower-than', '10000');
    await this.redis.slowlog('RESET');
  }

  /** Takes the medians of what was logged since the last call; `nameOf` names an entry, or passes it over. */
  async collect(nameOf: (script: string, argument: string) => string | undefined): Promise<void> {
    const entries = z.array(entrySchema).parse(await this.redis.call('SLOWLOG', 'GET', '-1'));
    await this.redis.slowlog('RESET');
    const times = new Map<string, number[]>();
    for (const [, , microseconds, [command, sha = '', , , argument = '']] of entries) {
      const script = command?.toLowerCase() === 'evalsha' ? this.names.get(sha) : undefined;
      const name = script === undefined ? undefined : nameOf(script, argument);
      if (name !== undefined) times.set(name, [...(times.get(name) ?? []), microseconds]);
    }
    for (const [name, values] of times) this.costs.set(name, median(values));
  }
}

export function scriptTable(small: ScriptCosts, large: ScriptCosts): string {
  const rows = Array.from(large, ([name, cost]) => {
    const other = small.get(name) ?? Number.NaN;
    return `| ${name} | ${Math.round(other)} µs | ${Math.round(cost)} µs | ${(cost / other).toPrecision(3)}× |`;
  });
  return ['| script | small | large | ratio |', '| --- | --- | --- | --- |', ...rows].join('\n');
}
