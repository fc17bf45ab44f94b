import type { Redis } from 'ioredis';
import { errors } from '../errors.ts';
import type { Connection } from './connection.ts';
import { type Keys, makeKeys } from './keys.ts';
import { Replication } from './replication.ts';
import { type ScriptName, scripts } from './script-sources.ts';

/** A script's answer: a word ('ok' or another one that its header names), then text. */
export type ScriptAnswer = readonly [string, ...string[]];

export interface StoreOptions {
  /** Replicas that must have a change before it counts. */
  minReplicas?: number;
  /** In place of the connection's own. */
  redis?: Redis;
  /** Who asks for the changes, as `user@host`; '' where that is the daemon itself. */
  by?: string;
  /** Whose keys and wait for replicas are used. */
  sharing?: Pick<Store, 'keys' | 'replication'>;
  observe?: ObserveScript | undefined;
}

/** Called with the end of each script: the time from its sending to its answer, without that of replicas. */
export type ObserveScript = (script: ScriptName, seconds: number, isAnswered: boolean) => void;

/** In a record: a longer value has Redis keep it in a form that takes twice the memory. */
const maxByBytes = 64;

function shortened(text: string): string {
  let length = text.length;
  while (Buffer.byteLength(text.slice(0, length)) > maxByBytes) length -= 1;
  return text.slice(0, length);
}

/** Records in Redis: key names, scripts (called by lib/redis/scripts.ts alone), plain reads. */
export class Store {
  readonly keys: Keys;
  readonly connection: Connection;
  readonly redis: Redis;
  /** Who asks for the changes, at most 64 bytes; '' where that is the daemon itself. */
  readonly by: string;
  private readonly prefix: string;
  readonly replication: Replication;
  private readonly minReplicas: number;
  private readonly observe: ObserveScript | undefined;

  constructor(
    connection: Connection,
    prefix: string,
    { minReplicas = 0, redis = connection.redis, by = '', sharing, observe }: StoreOptions = {},
  ) {
    this.by = shortened(by);
    this.connection = connection;
    this.prefix = prefix;
    this.keys = sharing?.keys ?? makeKeys(prefix);
    this.minReplicas = minReplicas;
    this.redis = redis;
    this.observe = observe;
    this.replication = sharing?.replication ?? new Replication(connection, this.keys.replicated());
  }

  /** Returns the same records over the same connection, whose changes another requester asks for. */
  as(by: string): Store {
    const { minReplicas, redis, observe } = this;
    return new Store(this.connection, this.prefix, { minReplicas, redis, by, sharing: this, observe });
  }

  /**
   * Returns the same records over a connection of its own, whose changes wait for no replicas: for what must not queue behind
   * other commands. Closed with this one. `purpose`: as the log names it. Throws RedisUnreachable.
   */
  async onOwnConnection(purpose: string): Promise<Store> {
    const redis = await this.connection.another({ purpose, hasTimeLimit: true });
    return new Store(this.connection, this.prefix, { redis, observe: this.observe });
  }

  /** Runs a script: all of it happens, or nothing. Throws RedisUnreachable, RedisDenied, NotReplicated. */
  async run(name: ScriptName, ...args: (string | number)[]): Promise<ScriptAnswer> {
    const { count } = this.connection;
    const script = scripts.get(name);
    if (!script) throw new Error(`no script ${name}`);
    const send = () =>
      this.read(async (redis) => {
        try {
          return await redis.evalsha(script.sha, 1, this.keys.prefix, ...args);
        } catch (error) {
          if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw error;
          return await redis.eval(script.source, 1, this.keys.prefix, ...args);
        }
      });
    const answer = await (this.observe ? observed(name, this.observe, send) : send());
    await this.replicated(count);
    return parseAnswer(name, answer);
  }

  /** Carries out plain commands. Throws errors of the catalogue. */
  async read<T>(commands: (redis: Redis) => Promise<T>): Promise<T> {
    try {
      return await commands(this.redis);
    } catch (error) {
      throw this.connection.explain(error, this.redis);
    }
  }

  /** Names of keys that begin so, without the prefix, a page at a time; one that exists all the while comes at least once. */
  async *names(beginning = ''): AsyncGenerator<string[]> {
    const { prefix } = this.keys;
    const pattern = `${`${prefix}${beginning}`.replaceAll(/[[\]?*\\]/g, String.raw`\$&`)}*`;
    let cursor = '0';
    do {
      const at = cursor;
      const [next, keys] = await this.read((redis) => redis.scan(at, 'MATCH', pattern, 'COUNT', 1000));
      yield keys.map((key) => key.slice(prefix.length));
      cursor = next;
    } while (cursor !== '0');
  }

  /** Whether changes wait for replicas. */
  get isReplicated(): boolean {
    return this.minReplicas > 0;
  }

  /**
   * Returns what `read` returns, once enough replicas have it. Throws NotReplicated: also where the connection ended meanwhile, as another
   * server may answer since. So each attempt reads anew.
   */
  async readReplicated<T>(read: () => Promise<T>): Promise<T> {
    const { count } = this.connection;
    const found = await read();
    await this.replicated(count);
    return found;
  }

  /** Waits until enough replicas have all that the connection numbered `over` has read or changed. Throws NotReplicated. */
  private async replicated(over: number): Promise<void> {
    if (!this.isReplicated) return;
    const reached = await this.replication.wait(this.minReplicas, over);
    if (reached < this.minReplicas) throw errors.notReplicated(reached, this.minReplicas);
  }
}

async function observed<T>(name: ScriptName, observe: ObserveScript, send: () => Promise<T>): Promise<T> {
  const begin = performance.now();
  let isAnswered = false;
  try {
    const answer = await send();
    isAnswered = true;
    return answer;
  } finally {
    observe(name, (performance.now() - begin) / 1000, isAnswered);
  }
}

function parseAnswer(name: string, answer: unknown): ScriptAnswer {
  if (Array.isArray(answer)) {
    const [word, ...rest] = answer.map(String);
    if (word !== undefined) return [word, ...rest];
  }
  throw new Error(`script ${name} answered ${JSON.stringify(answer)}`);
}
