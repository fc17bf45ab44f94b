import type { VirtualProcess } from '../virtual-process.ts';
import { FakeConnection } from './connection.ts';
import { info } from './commands.ts';
import { type Copy, Database } from './database.ts';
import { Interpreter } from './interpreter.ts';
import { Lua } from './lua.ts';
import { type Reply, failure, isShaped, ok } from './reply.ts';
import type { FakeSocket } from './socket.ts';

interface Blocked {
  request: readonly string[];
  timer: NodeJS.Timeout;
}

export interface FakeRedisOptions {
  /** Milliseconds since the epoch by its own clock. */
  now: () => number;
  /** How long a request or an answer is under way. */
  delay: (owner: VirtualProcess) => number;
  /** What becomes of a request: it is answered; carried out, and the connection breaks; or the connection breaks at once. */
  fate: (request: readonly string[]) => 'answered' | 'carried out' | 'lost';
  /** Called after every request that wrote something, with the keys it wrote. */
  onWritten: (owner: VirtualProcess, keys: ReadonlySet<string>) => void;
  /** Called when it has lost changes, with whether it has all that a replica had. */
  onGoneBack: (hadReplica: boolean) => void;
  /** Called with a request for another database than the one there is. */
  onStray: (owner: VirtualProcess, request: readonly string[]) => void;
  /** What is run in place of a script. */
  tamper: (script: string) => string;
}

/** The number of its one database. */
export const databaseNumber = 3;

/** Changes after which a replica that is connected has them all, also when nobody waits for it. */
const lag = 20;

/**
 * A read that finds nothing ends after so long at least, for it is asked again at once: most of a quiet day would be that. Just before
 * its client takes the connection for dead.
 */
const idleMs = 9000;

/** A Redis in memory that runs the product's own scripts. It fails only as a real one may. */
export class FakeRedis {
  readonly database: Database;
  private readonly options: FakeRedisOptions;
  private readonly interpreter: Interpreter;
  private readonly connections = new Set<FakeConnection>();
  private readonly blocked = new Map<FakeConnection, Blocked>();
  private state: 'up' | 'down' | 'loading' = 'up';
  private stalledUntil = 0;
  private run = 1;
  private isReplicaAway = false;
  /** Its configuration has fewer databases, or its access list no SELECT. */
  isSelectRefused = false;
  /** What the replica has. */
  private replica: Copy;
  private unreplicated = 0;
  /** Keys that were written since; undefined: any may differ. */
  private changed: Set<string> | undefined = new Set();

  static async start(options: FakeRedisOptions): Promise<FakeRedis> {
    return new FakeRedis(options, await Lua.make());
  }

  private constructor(options: FakeRedisOptions, lua: Lua) {
    this.options = options;
    this.database = new Database(options.now);
    this.interpreter = new Interpreter({
      database: this.database,
      lua,
      publish: (channel, text) => this.publish(channel, text),
      tamper: options.tamper,
    });
    this.replica = this.database.copy();
  }

  connect(owner: VirtualProcess): FakeSocket {
    const connection: FakeConnection = new FakeConnection(owner, this.options.delay, {
      request: (request) => this.receive(connection, request),
      left: () => this.drop(connection),
    });
    if (this.state === 'down') connection.close('ECONNREFUSED');
    else {
      this.connections.add(connection);
      connection.connected();
    }
    return connection.socket;
  }

  /** Every connection breaks; nobody can connect for `downMs`, then it loads for `loadMs`. Its data stay, or are those of the copy. */
  restart(downMs: number, loadMs: number, copy?: Copy, hadReplica = false): void {
    this.state = 'down';
    this.run += 1;
    if (copy) this.goBackTo(copy, hadReplica);
    this.interpreter.forgetScripts();
    for (const connection of this.connections) this.break(connection);
    setTimeout(() => {
      this.state = 'loading';
    }, downMs);
    setTimeout(() => {
      this.state = 'up';
    }, downMs + loadMs);
  }

  /** Its replica takes over with what it has; another replica is there at once. */
  failOver(downMs: number): void {
    this.restart(downMs, 0, this.replica, true);
    this.replicate();
  }

  /** Nothing is replicated for a while. */
  set replicaAway(isAway: boolean) {
    this.isReplicaAway = isAway;
    if (!isAway) this.replicate();
  }

  private replicate(): void {
    const { changed, database } = this;
    if (changed) database.update(this.replica, [...changed, ...database.touched]);
    else this.replica = database.copy();
    this.changed = new Set();
    this.unreplicated = 0;
  }

  /** FLUSHALL by somebody: no connection breaks. */
  empty(): void {
    this.goBackTo({ values: new Map(), ends: new Map() }, false);
  }

  /** A person changes a field of a record, past every script. */
  edit(key: string, field: string, value: string): void {
    this.database.hash(key)?.set(field, value);
    this.changed?.add(key);
  }

  private goBackTo(copy: Copy, hadReplica: boolean): void {
    this.database.goBackTo(copy);
    this.changed = undefined;
    this.options.onGoneBack(hadReplica);
  }

  /** It does nothing for a while, then all that came meanwhile. */
  stall(ms: number): void {
    this.stalledUntil = performance.now() + ms;
  }

  private break(connection: FakeConnection): void {
    connection.close('ECONNRESET');
    this.drop(connection);
  }

  private receive(connection: FakeConnection, request: readonly string[]): void {
    const stalled = this.stalledUntil - performance.now();
    if (stalled > 0) {
      setTimeout(() => this.receive(connection, request), stalled);
      return;
    }
    if (!this.connections.has(connection)) return;
    const fate = this.options.fate(request);
    if (fate === 'lost') return this.break(connection);
    const reply = this.carryOut(connection, request);
    if (fate === 'carried out') this.break(connection);
    else if (reply !== undefined) connection.answer(reply);
  }

  private carryOut(connection: FakeConnection, request: readonly string[]): Reply | undefined {
    const [name = '', ...args] = request;
    switch (name.toUpperCase()) {
      case 'SUBSCRIBE': {
        for (const channel of args) connection.subscribed.add(channel);
        return { kind: 'push', items: ['subscribe', args[0] ?? '', connection.subscribed.size] };
      }
      case 'SELECT': {
        if (this.isSelectRefused) return failure('ERR DB index is out of range');
        connection.database = Number(args[0]);
        return ok;
      }
      case 'INFO':
        return info(this.run, this.state === 'loading');
      case 'WAIT':
        return this.wait(connection, Number(args[1]));
      case 'XREAD': {
        const reply = this.execute(connection, request);
        const ms = Number(request[request.findIndex((word) => word.toUpperCase() === 'BLOCK') + 1]);
        if (reply !== null || !Number.isInteger(ms)) return reply;
        this.block(connection, request, ms);
        return undefined;
      }
      default:
        return this.execute(connection, request);
    }
  }

  private execute(connection: FakeConnection, request: readonly string[]): Reply {
    const free = /^(hello|client|ping|info)$/i.test(request[0] ?? '');
    if (!free && connection.database !== databaseNumber) this.options.onStray(connection.owner, request);
    if (this.state === 'loading' && !free) return failure('LOADING Redis is loading the dataset in memory');
    const reply = this.interpreter.execute(request);
    const { touched } = this.database;
    if (touched.size === 0) return reply;
    const written = new Set(touched);
    touched.clear();
    for (const key of written) this.changed?.add(key);
    this.unreplicated += 1;
    if (this.unreplicated >= lag && !this.isReplicaAway) this.replicate();
    this.options.onWritten(connection.owner, written);
    this.serveBlocked(written);
    return reply;
  }

  private wait(connection: FakeConnection, ms: number): Reply | undefined {
    if (this.isReplicaAway) {
      setTimeout(() => connection.open && connection.answer(0), ms);
      return undefined;
    }
    if (this.unreplicated > 0) this.replicate();
    return 1;
  }

  private block(connection: FakeConnection, request: readonly string[], ms: number): void {
    const timer = setTimeout(
      () => {
        this.blocked.delete(connection);
        connection.answer(null);
      },
      Math.max(ms, idleMs),
    );
    this.blocked.set(connection, { request, timer });
  }

  /** Who waits longest is served first. */
  private serveBlocked(written: ReadonlySet<string>): void {
    for (const [connection, { request, timer }] of this.blocked) {
      if (!request.some((word) => written.has(word))) continue;
      const reply = this.execute(connection, request);
      if (reply === null || (isShaped(reply) && reply.kind === 'error')) continue;
      clearTimeout(timer);
      this.blocked.delete(connection);
      connection.answer(reply);
    }
  }

  private publish(channel: string, text: string): number {
    const listening = [...this.connections].filter(({ subscribed }) => subscribed.has(channel));
    for (const connection of listening) connection.answer({ kind: 'push', items: ['message', channel, text] });
    return listening.length;
  }

  private drop(connection: FakeConnection): void {
    connection.open = false;
    clearTimeout(this.blocked.get(connection)?.timer);
    this.blocked.delete(connection);
    this.connections.delete(connection);
  }
}
