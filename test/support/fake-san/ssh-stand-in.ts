import { once } from 'node:events';
import { type Server, type Socket, createServer } from 'node:net';
import ssh2, { type Connection, type ServerChannel } from 'ssh2';
import type { Answer, Device } from './device.ts';

/** What goes wrong with the next command: the server does that in place of its usual answer. */
export type Fault = (channel: ServerChannel, answer: () => Answer, connection: Connection) => void;

/** Goes wrong before the command is carried out, or after. */
export const faults = {
  /** The connection ends before the storage has the command. */
  cutBefore: (_channel, _answer, connection) => connection.end(),
  /** The connection ends although the storage has carried the command out. */
  cutAfter: (_channel, answer, connection) => {
    answer();
    connection.end();
  },
  /** Half of the answer, and the end of the channel without an exit code. */
  half: (channel, answer) => {
    const { stdout } = answer();
    channel.write(stdout.slice(0, Math.floor(stdout.length / 2)));
    channel.close();
  },
  /** Half of the answer with exit code 0. */
  truncated: (channel, answer) => {
    const { stdout } = answer();
    end(channel, { stdout: stdout.slice(0, Math.floor(stdout.length / 2)), stderr: '', exitCode: 0 });
  },
  /** The first line of the answer, to its end, with exit code 0. */
  firstLine: (channel, answer) => {
    const { stdout } = answer();
    end(channel, { stdout: stdout.slice(0, stdout.indexOf('\n') + 1), stderr: '', exitCode: 0 });
  },
  banner: (channel, answer) => {
    const { stdout, ...rest } = answer();
    end(channel, { ...rest, stdout: `Sun Microsystems Inc.   SunOS 5.11      snv_134 February 2010\n${stdout}` });
  },
  /** A question, and then nothing. */
  prompt: (channel) => void channel.write('Are you sure (yes/no)? '),
  errorWithoutCode: (channel) => end(channel, { stdout: '', stderr: 'internal error: out of memory\n', exitCode: 0 }),
  refused: (channel) => end(channel, { stdout: '', stderr: 'pfexec: permission denied\n', exitCode: 1 }),
} satisfies Record<string, Fault>;

/** The storage computes so long, while its SSH server answers. */
export function slow(ms: number): Fault {
  return (channel, answer) => void setTimeout(() => end(channel, answer()), ms).unref();
}

export interface StandInOptions {
  login?: string;
  password?: string;
  /** The public key of a login by key. */
  publicKey?: string;
  /** Asks for the password by a question, as LeftHand does. */
  asks?: boolean;
  hostKey?: string;
  port?: number;
}

/** A stand-in of the SSH server of storage: the server half of ssh2 in front of a device that keeps state. */
export class SshStandIn {
  readonly port: number;
  /** The lines that it was sent. */
  readonly lines: string[] = [];
  /** The most commands that ran at one time. */
  maxConcurrent = 0;
  connections = 0;
  private readonly server: Server;
  private readonly sockets: ReadonlySet<Socket>;
  private readonly open: Set<Connection>;
  private readonly waiting: Fault[] = [];
  private atOnce = 0;

  static async start(device: Device, options: StandInOptions = {}): Promise<SshStandIn> {
    const hostKeys = [options.hostKey ?? newKey().private];
    const open = new Set<Connection>();
    let self: SshStandIn | undefined;
    const sockets = new Set<Socket>();
    const ssh = new ssh2.Server({ hostKeys }, (connection) => {
      open.add(connection);
      // The types lack it.
      if ('setNoDelay' in connection && typeof connection.setNoDelay === 'function') connection.setNoDelay(true);
      connection.on('error', () => {});
      connection.on('close', () => open.delete(connection));
      authenticate(connection, options);
      connection.on('ready', () => self?.serve(connection, device));
    });
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('close', () => sockets.delete(socket));
      ssh.injectSocket(socket);
    });
    server.listen(options.port ?? 0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    self = new SshStandIn(server, { sockets, open }, typeof address === 'object' && address ? address.port : 0);
    return self;
  }

  private constructor(
    server: Server,
    { sockets, open }: { sockets: ReadonlySet<Socket>; open: Set<Connection> },
    port: number,
  ) {
    this.server = server;
    this.sockets = sockets;
    this.open = open;
    this.port = port;
  }

  /** The faults of the next commands, one each. */
  give(...next: Fault[]): void {
    this.waiting.push(...next);
  }

  /** A fault: the storage reads and sends nothing on any connection for so long, and then goes on. */
  paused(ms: number): Fault {
    return (channel, answer) => {
      for (const socket of this.sockets) socket.pause();
      const goOn = () => {
        this.resume();
        end(channel, answer());
      };
      setTimeout(goOn, ms).unref();
    };
  }

  /** Ends all connections, as a restart of the storage does. */
  cut(): void {
    for (const connection of this.open) connection.end();
  }

  async stop(): Promise<void> {
    const closed = once(this.server, 'close');
    this.server.close();
    this.cut();
    this.resume();
    await closed;
  }

  private resume(): void {
    for (const socket of this.sockets) socket.resume();
  }

  private serve(connection: Connection, device: Device): void {
    this.connections += 1;
    connection.on('session', (acceptSession) => {
      acceptSession().on('exec', (acceptExec, _reject, { command }) => {
        this.lines.push(command);
        this.atOnce += 1;
        this.maxConcurrent = Math.max(this.maxConcurrent, this.atOnce);
        const channel = acceptExec();
        channel.on('close', () => {
          this.atOnce -= 1;
        });
        // A client that was killed reads no answer.
        channel.on('error', () => {});
        channel.stderr.on('error', () => {});
        const fault = this.waiting.shift();
        let input = '';
        channel.setEncoding('utf8').on('data', (text: string) => (input += text));
        // Not at once: commands of one moment run concurrently.
        channel.on('end', () => {
          const answer = () => device.run(command, input);
          if (fault) fault(channel, answer, connection);
          else end(channel, answer());
        });
      });
    });
  }
}

function end(channel: ServerChannel, { stdout, stderr, exitCode }: Answer): void {
  channel.write(stdout);
  channel.stderr.write(stderr);
  channel.exit(exitCode);
  channel.end();
}

function authenticate(connection: Connection, options: StandInOptions): void {
  const { login = 'admin', password = 'secret', publicKey, asks = false } = options;
  connection.on('authentication', (context) => {
    if (context.username !== login) return context.reject();
    if (context.method === 'publickey' && publicKey !== undefined) {
      const key = ssh2.utils.parseKey(publicKey);
      const isKnown = !(key instanceof Error) && key.getPublicSSH().equals(context.key.data);
      return isKnown ? context.accept() : context.reject();
    }
    if (context.method === 'password' && !asks && context.password === password) return context.accept();
    if (context.method === 'keyboard-interactive' && asks) {
      return context.prompt([{ prompt: 'Password: ', echo: false }], ([given]) =>
        given === password ? context.accept() : context.reject(),
      );
    }
    context.reject(asks ? ['keyboard-interactive'] : ['password', 'publickey']);
  });
}

/** Some of the keys that ssh2 generates it cannot read. */
export function newKey(): { private: string; public: string } {
  for (;;) {
    const pair = ssh2.utils.generateKeyPairSync('ed25519');
    if (!(ssh2.utils.parseKey(pair.private) instanceof Error)) return pair;
  }
}
