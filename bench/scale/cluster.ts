import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import path from 'node:path';
import { z } from 'zod';
import { RedisServer } from '../../test/support/redis-server.ts';
import { makeClient } from '../client.ts';
import type { Figure } from '../figures.ts';
import { insertVolumes } from './fill.ts';
import type { Layout } from './layout.ts';
import { usedMemory } from './redis-figures.ts';

const processes = 4;
const nodeProcess = path.join(import.meta.dirname, 'node-process.ts');

const countsSchema = z.object({
  caughtUp: z.number(),
  leasesLost: z.number(),
  /** Seconds of processor since its start. */
  processorS: z.number(),
  errors: z.number(),
  lastError: z.string(),
});
type Counts = z.infer<typeof countsSchema>;

type Client = Awaited<ReturnType<typeof makeClient>>;

/** A Redis with the records of a cluster, and processes with its nodes. */
export class SimulatedCluster {
  readonly layout: Layout;
  readonly server: RedisServer;
  readonly port: number;
  readonly client: Client;
  /** What its making showed. */
  readonly figures: readonly Figure[];
  private readonly children: readonly ChildProcess[];

  private constructor(
    parts: Pick<SimulatedCluster, 'layout' | 'server' | 'port' | 'client' | 'figures'>,
    children: readonly ChildProcess[],
  ) {
    this.layout = parts.layout;
    this.server = parts.server;
    this.port = parts.port;
    this.client = parts.client;
    this.figures = parts.figures;
    this.children = children;
  }

  static async start(layout: Layout, note: (text: string) => void): Promise<SimulatedCluster> {
    const port = await freePort();
    // A rewrite of the file at an accidental moment would be in the figures.
    const options = ['--port', String(port), '--bind', '127.0.0.1', '--auto-aof-rewrite-percentage', '0'];
    const server = await RedisServer.start(...options, '--repl-diskless-sync-delay', '0');
    const client = await makeClient(server.url);
    const empty = await usedMemory(client.store.redis);
    note('inserting the records');
    await insertVolumes(client.store, layout);
    const volumes = layout.nodes * layout.perNode;
    const bytes = ((await usedMemory(client.store.redis)) - empty) / volumes;
    note('starting the nodes');
    const begin = performance.now();
    const children = Array.from({ length: processes }, (_, index) => startProcess(server, layout, index));
    await Promise.all(children.map((child) => answerOf(child)));
    const startS = (performance.now() - begin) / 1000;
    const figures = [
      { what: 'Redis memory per volume', value: bytes, unit: 'bytes', aim: '≤ 1,024' },
      { what: 'start of all nodes at once, on this machine', value: startS, unit: 's' },
    ];
    return new SimulatedCluster({ layout, server, port, client, figures }, children);
  }

  /** Sums over the processes. Throws where a node has met an error that is none of Redis being away. */
  async counts(): Promise<Omit<Counts, 'lastError' | 'errors'>> {
    const answers = await Promise.all(
      this.children.map((child) => {
        child.send('counts');
        return answerOf(child);
      }),
    );
    const failed = answers.find(({ errors }) => errors > 0);
    if (failed) throw new Error(`a simulated node reports: ${failed.lastError}`);
    const sum = (value: (counts: Counts) => number) => answers.reduce((total, one) => total + value(one), 0);
    return {
      caughtUp: sum((one) => one.caughtUp),
      leasesLost: sum((one) => one.leasesLost),
      processorS: sum((one) => one.processorS),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(
      this.children.map(async (child) => {
        child.kill('SIGKILL');
        if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
      }),
    );
    await this.client.close();
    await this.server.stop();
  }
}

function startProcess(server: RedisServer, layout: Layout, index: number): ChildProcess {
  const all = Array.from({ length: layout.nodes }, (_, node) => node);
  const nodes = all.filter((node) => node % processes === index);
  const child = fork(nodeProcess, [JSON.stringify({ redisUrl: server.url, nodes, layout })]);
  return child;
}

async function answerOf(child: ChildProcess): Promise<Counts> {
  const ended = new AbortController();
  const exit = once(child, 'exit', { signal: ended.signal }).then(() => {
    throw new Error('a process of simulated nodes has ended');
  });
  exit.catch(() => {}); // aborted once there is an answer
  try {
    const [message]: unknown[] = await Promise.race([once(child, 'message', { signal: ended.signal }), exit]);
    return countsSchema.parse(message);
  } finally {
    ended.abort();
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = z.object({ port: z.number() }).parse(server.address());
  server.close();
  await once(server, 'close');
  return port;
}
