import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { type Server, type Socket, createConnection, createServer } from 'node:net';

/**
 * `cut`: the command is carried out, and the connection breaks in the middle of its answer. `freeze`: it is carried out, and nothing
 * arrives over that connection any more. `hold`: it arrives at Redis, with what follows it, with `release`. Any other: Redis answers with this error, and the command is not carried out.
 */
export type Fault = 'cut' | 'freeze' | 'hold' | { error: string };

/** Stands before a real Redis for faults that a real one makes at no wanted moment: a fake. */
export class FakeProxy {
  readonly socket: string;
  private readonly server: Server;
  private readonly sockets = new Set<Socket>();
  private fault: Fault | undefined;
  private command = 'evalsha';
  private struck = 0;
  private deliver: (() => void) | undefined;

  private constructor(socket: string, redis: string) {
    this.socket = socket;
    this.server = createServer((client) => this.join(client, createConnection(redis)));
  }

  static async start(socket: string, redis: string): Promise<FakeProxy> {
    const proxy = new FakeProxy(socket, redis);
    proxy.server.listen(socket);
    await once(proxy.server, 'listening');
    return proxy;
  }

  get url(): string {
    return `unix:${this.socket}`;
  }

  /** How often a fault struck so far. */
  get count(): number {
    return this.struck;
  }

  /** The next script meets it, or the next such command, once. */
  arm(fault: Fault, command: 'evalsha' | 'subscribe' = 'evalsha'): void {
    this.fault = fault;
    this.command = command;
  }

  /** What is held arrives. */
  release(): void {
    this.deliver?.();
    this.deliver = undefined;
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    await rm(this.socket, { force: true });
  }

  private join(client: Socket, redis: Socket): void {
    let struck: Fault | undefined;
    for (const [socket, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      this.sockets.add(socket);
      socket.on('error', () => {}); // a broken connection is what this is for
      socket.on('close', () => {
        this.sockets.delete(socket);
        other.destroy();
      });
    }
    redis.on('data', (data) => {
      if (struck === undefined) client.write(data);
      else if (struck === 'cut') client.write(data.subarray(0, data.length / 2), () => client.destroy());
    });
    let unread = Buffer.alloc(0);
    let held: Buffer[] | undefined;
    client.on('data', (data) => {
      unread = Buffer.concat([unread, data]);
      for (let end = endOfCommand(unread); end > 0; end = endOfCommand(unread)) {
        const command = unread.subarray(0, end);
        unread = unread.subarray(end);
        const name = /^\*\d+\r\n\$\d+\r\n(\w+)\r\n/.exec(command.toString('latin1'))?.[1]?.toLowerCase();
        const fault = name === this.command ? this.fault : undefined;
        if (fault === undefined) {
          if (held) held.push(command);
          else redis.write(command);
          continue;
        }
        this.fault = undefined;
        this.struck += 1;
        if (fault === 'hold') {
          const commands = (held = [command]);
          this.deliver = () => {
            redis.write(Buffer.concat(commands));
            held = undefined;
          };
          continue;
        }
        if (typeof fault === 'object') redis.write(answering(fault.error));
        else {
          struck = fault;
          redis.write(command);
        }
      }
    });
  }
}

/** In place of a command: Redis itself gives the error, in the command's turn. */
function answering(error: string): string {
  const words = ['EVAL', 'return redis.error_reply(ARGV[1])', '0', error];
  return `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`;
}

/** Where the first command of a buffer ends, an array of texts each after its length; 0 while it is not all there. */
function endOfCommand(buffer: Buffer): number {
  let at = buffer.indexOf('\r\n');
  if (at < 0) return 0;
  let left = Number(buffer.subarray(1, at).toString());
  at += 2;
  for (; left > 0; left -= 1) {
    const end = buffer.indexOf('\r\n', at);
    if (end < 0) return 0;
    at = end + 2 + Number(buffer.subarray(at + 1, end).toString()) + 2;
  }
  return at <= buffer.length ? at : 0;
}
