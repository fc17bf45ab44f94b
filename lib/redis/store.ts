import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Redis } from 'ioredis';
import { errors } from '../errors.ts';
import type { Connection } from './connection.ts';
import { type Keys, type LuaFunction, keysInLua, makeKeys } from './keys.ts';

export type ScriptName =
  | 'create'
  | 'change'
  | 'claim'
  | 'refuse'
  | 'enter'
  | 'report'
  | 'leave'
  | 'observe'
  | 'adopt'
  | 'lose'
  | 'ask'
  | 'reply'
  | 'numbers'
  | 'reindex'
  | 'unindex';

/** A script's answer: a word ('ok' or a code of the catalogue), then text. */
export type ScriptAnswer = readonly [string, ...string[]];

interface Script {
  source: string;
  sha: string;
}

const folder = join(import.meta.dirname, 'scripts');
/** Every script by its name, as it is sent to Redis. */
export const scripts = loadScripts();

/**
 * Every script is its own file after the key names and the shared functions that it uses: Redis makes every function anew
 * each time a script runs, and with all of them that would be half of the time.
 */
function loadScripts(): ReadonlyMap<string, Script> {
  const shared = [...keysInLua(), ...functionsIn(readFileSync(join(folder, 'shared.lua'), 'utf8'))];
  const files = readdirSync(folder).filter((file) => file.endsWith('.lua') && file !== 'shared.lua');
  return new Map(
    files.map((file) => {
      const source = withUsed(shared, readFileSync(join(folder, file), 'utf8'));
      return [file.slice(0, -4), { source, sha: createHash('sha1').update(source).digest('hex') }];
    }),
  );
}

/** The functions of a file, each of which ends at the first line that is `end` and nothing else. */
function functionsIn(file: string): LuaFunction[] {
  return Array.from(file.matchAll(/^local function (\w+).*?^end$/gms), ([source, name = '']) => ({ name, source }));
}

/** A function may use those before it, so the last one is asked first. */
function withUsed(functions: readonly LuaFunction[], script: string): string {
  return functions.reduceRight(
    (source, used) => (new RegExp(`\\b${used.name}\\(`).test(source) ? `${used.source}\n${source}` : source),
    script,
  );
}

/** Records in Redis: key names, scripts, plain reads. What all models share. */
export class Store {
  readonly keys: Keys;
  readonly connection: Connection;
  private readonly minReplicas: number;

  constructor(connection: Connection, prefix: string, minReplicas = 0) {
    this.connection = connection;
    this.keys = makeKeys(prefix);
    this.minReplicas = minReplicas;
  }

  get redis(): Redis {
    return this.connection.redis;
  }

  /** Runs a script: all of it happens, or nothing. Throws RedisUnreachable or RedisDenied. */
  async run(name: ScriptName, ...args: (string | number)[]): Promise<ScriptAnswer> {
    const { count } = this.connection;
    const script = scripts.get(name);
    if (!script) throw new Error(`no script ${name}`);
    const answer = await this.read(async (redis) => {
      try {
        return await redis.evalsha(script.sha, 1, this.keys.prefix, ...args);
      } catch (error) {
        if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
        return await redis.eval(script.source, 1, this.keys.prefix, ...args);
      }
    });
    await this.replicated(count);
    return parseAnswer(name, answer);
  }

  /** Any reading commands, with errors of the catalogue. */
  async read<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await commands(this.redis);
    } catch (error) {
      throw this.connection.explain(error);
    }
  }

  /** Names of keys that begin so, without the prefix, some at a time; one that is there all the while comes at least once. */
  async *names(beginning = ''): AsyncGenerator<string[]> {
    const { prefix } = this.keys;
    const pattern = `${`${prefix}${beginning}`.replaceAll(/[[\]?*\\]/g, '\\$&')}*`;
    let cursor = '0';
    do {
      const at = cursor;
      const [next, keys] = await this.read((redis) => redis.scan(at, 'MATCH', pattern, 'COUNT', 1000));
      yield keys.map((key) => key.slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
  }

  /** Whether a change is to be on replicas before it counts. */
  get isReplicated(): boolean {
    return this.minReplicas > 0;
  }

  /**
   * All that this connection has read or changed is on as many replicas as are wanted; `over` is the number of the connection
   * that it was read over: another one knows nothing of it. Throws NotReplicated.
   */
  async replicated(over = this.connection.count): Promise<void> {
    if (!this.isReplicated) return;
    const reached = await this.read((redis) => redis.wait(this.minReplicas, 5000));
    const known = over === this.connection.count ? reached : 0;
    if (known < this.minReplicas) throw errors.notReplicated(known, this.minReplicas);
  }
}

function parseAnswer(name: string, answer: unknown): ScriptAnswer {
  if (Array.isArray(answer)) {
    const [word, ...rest] = answer.map(String);
    if (word !== undefined) return [word, ...rest];
  }
  throw new Error(`script ${name} answered ${JSON.stringify(answer)}`);
}
