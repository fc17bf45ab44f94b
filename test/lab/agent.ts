import net from 'node:net';
import type { LabNetwork } from './network.ts';
import { Resident } from './resident.ts';

export interface Answer {
  status: number;
  output: string;
}

/** Asks the agent of one node to run scripts, through a relay into the network namespace. */
export class Agent {
  #socketFile: string;
  #relay: Resident;
  #connections = new Set<net.Socket>();

  static async start(network: LabNetwork, node: number, socketFile: string, logFile: string): Promise<Agent> {
    const target = `TCP:${network.commandAddress(node)}:7000,nodelay,keepalive,connect-timeout=60`;
    const [command, args] = network.inside('socat', [`UNIX-LISTEN:${socketFile},fork,backlog=64`, target]);
    return new Agent(socketFile, await Resident.start(command, args, logFile));
  }

  constructor(socketFile: string, relay: Resident) {
    this.#socketFile = socketFile;
    this.#relay = relay;
  }

  async run(script: string, timeoutMs: number): Promise<Answer> {
    const connection = net.connect(this.#socketFile);
    this.#connections.add(connection);
    const timer = setTimeout(() => {
      connection.destroy(new Error(`no answer within ${timeoutMs} ms`));
    }, timeoutMs);
    try {
      // The connection must stay open in both directions until the agent has replied: write, never end.
      connection.write(`${Buffer.byteLength(script)}\n${script}`);
      const chunks: Buffer[] = [];
      for await (const chunk of connection) chunks.push(chunk);
      return parseAnswer(Buffer.concat(chunks).toString());
    } finally {
      clearTimeout(timer);
      this.#connections.delete(connection);
      connection.destroy();
    }
  }

  /** Fails all waiting calls: a node that is off closes no connection. */
  disconnect(reason: string): void {
    for (const connection of this.#connections) connection.destroy(new Error(reason));
  }

  async stop(): Promise<void> {
    await this.#relay.kill();
  }
}

function parseAnswer(text: string): Answer {
  const match = /\n(\d+)\n$/.exec(text);
  if (!match) throw new Error(`the connection ended without a status: ${text.slice(-500)}`);
  return { status: Number(match[1]), output: text.slice(0, match.index) };
}
