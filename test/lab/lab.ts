import { mkdir } from 'node:fs/promises';
import { LabNetwork } from './network.ts';
import { LabNode } from './node.ts';
import type { NodeOptions } from './node.ts';
import { LabPlace } from './place.ts';
import { LabRedis } from './redis.ts';
import { missingForLab } from './requirements.ts';
import { LabSentinels } from './sentinels.ts';

export interface LabOptions extends Partial<NodeOptions> {
  nodes?: number;
}

/** Several machines (User-mode Linux) on this one, with a network and a Redis. */
export class Lab {
  readonly nodes: LabNode[] = [];
  readonly redis: LabRedis;
  readonly network: LabNetwork;
  #place: LabPlace;
  #sentinels: LabSentinels | undefined;
  #nodeOptions: NodeOptions;

  static async create({ nodes = 1, diskGiB = 20, memory = '512M', systemd = false }: LabOptions = {}): Promise<Lab> {
    const missing = await missingForLab();
    if (missing !== undefined) throw new Error(missing);
    const place = await LabPlace.create();
    try {
      await mkdir(place.file('uml'));
      const network = await LabNetwork.create(place.name);
      const lab = new Lab(place, network, { diskGiB, memory, systemd });
      // Wait for both before a failure removes what they started.
      const started = await Promise.allSettled([lab.redis.start(), lab.#addNodes(nodes)]);
      for (const result of started) if (result.status === 'rejected') throw result.reason;
      return lab;
    } catch (error) {
      await place.remove();
      throw error;
    }
  }

  constructor(place: LabPlace, network: LabNetwork, nodeOptions: NodeOptions) {
    this.#place = place;
    this.network = network;
    this.#nodeOptions = nodeOptions;
    this.redis = new LabRedis(network, place);
  }

  /** Name of the lab's network namespace. */
  get name(): string {
    return this.#place.name;
  }

  get directory(): string {
    return this.#place.directory;
  }

  /** Address of Redis for the nodes. */
  get redisUrl(): string {
    return this.redis.url;
  }

  /** Address of the same Redis for the test process. */
  get redisSocket(): string {
    return this.redis.socket;
  }

  node(number: number): LabNode {
    const node = this.nodes[number - 1];
    if (!node) throw new Error(`the lab has no node ${number}`);
    return node;
  }

  /** Adds a replica and Sentinels to the lab's Redis. */
  async addSentinels(): Promise<LabSentinels> {
    this.#sentinels = new LabSentinels(this.network, this.#place, this.redis);
    await this.#sentinels.start();
    return this.#sentinels;
  }

  async addNode(options: Partial<NodeOptions> = {}): Promise<LabNode> {
    const node = await this.#createNode(options);
    await node.boot();
    return node;
  }

  /** Throws where the kernel of a machine has found its own data damaged: no result of that run counts. */
  async close(): Promise<void> {
    const damage = (await Promise.all(this.nodes.map((node) => node.kernelDamage()))).flat();
    await this.#place.remove();
    // All have been killed: wait until the last one has left the process table.
    await Promise.all([this.#sentinels?.kill(), this.redis.kill(), ...this.nodes.map((node) => node.remove())]);
    if (damage.length > 0) throw new Error(`kernels of the lab are damaged:\n${damage.slice(0, 20).join('\n')}`);
  }

  async #addNodes(count: number): Promise<void> {
    for (let made = 0; made < count; made++) await this.#createNode({});
    const booted = await Promise.allSettled(this.nodes.map((node) => node.boot()));
    for (const result of booted) if (result.status === 'rejected') throw result.reason;
  }

  async #createNode(options: Partial<NodeOptions>): Promise<LabNode> {
    const number = this.nodes.length + 1;
    const node = await LabNode.create(this.#place, this.network, number, { ...this.#nodeOptions, ...options });
    this.nodes.push(node);
    return node;
  }
}
