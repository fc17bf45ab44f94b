import { execa } from 'execa';

const mtu = '9000';

/** The network namespace of a lab: a bridge for data, which partitions cut, and one for the tests' commands. */
export class LabNetwork {
  static readonly hostAddress = '10.77.0.1';
  readonly namespace: string;
  readonly #nodes: number[] = [];

  static async create(namespace: string): Promise<LabNetwork> {
    const network = new LabNetwork(namespace);
    await execa('ip', ['netns', 'add', namespace]);
    await network.#ip('link', 'set', 'lo', 'up');
    await network.#addBridge('data', LabNetwork.hostAddress);
    await network.#addBridge('commands', '10.78.0.1');
    return network;
  }

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  dataAddress(node: number): string {
    return `10.77.0.${10 + node}`;
  }

  commandAddress(node: number): string {
    return `10.78.0.${10 + node}`;
  }

  /** Connects the two cables of a node; returns the arguments of its kernel. */
  async addNode(node: number): Promise<string[]> {
    this.#nodes.push(node);
    await this.#addTap(`data${node}`, 'data');
    await this.#addTap(`commands${node}`, 'commands');
    const mac = node.toString(16).padStart(2, '0');
    return [
      `vec0:transport=tap,ifname=data${node},mac=52:54:00:77:00:${mac},mtu=${mtu}`,
      `vec1:transport=tap,ifname=commands${node},mac=52:54:00:78:00:${mac},mtu=${mtu}`,
    ];
  }

  async unplug(node: number): Promise<void> {
    await this.#ip('link', 'set', `data${node}`, 'nomaster');
  }

  async plugIn(node: number): Promise<void> {
    await this.#ip('link', 'set', `data${node}`, 'master', 'data');
  }

  /** Cuts all nodes off from each other, or joins them again; Redis, at the bridge itself, remains reachable. */
  async isolate(isCut: boolean): Promise<void> {
    for (const node of this.#nodes) {
      await execa(
        'bridge',
        ['-n', this.namespace, 'link', 'set', 'dev', `data${node}`, 'isolated', isCut ? 'on' : 'off'],
        {
          // An unplugged node has no port to isolate.
          reject: false,
        },
      );
    }
  }

  /** Returns the command and first arguments that start a program in the namespace. */
  inside(command: string, args: readonly string[]): [string, string[]] {
    return ['ip', ['netns', 'exec', this.namespace, command, ...args]];
  }

  async #addBridge(name: string, address: string): Promise<void> {
    await this.#ip('link', 'add', name, 'type', 'bridge');
    await this.#ip('addr', 'add', `${address}/24`, 'dev', name);
    await this.#ip('link', 'set', name, 'mtu', mtu, 'up');
    // The host must send single frames: a node drops longer ones, and after some of them receives nothing more.
    await execa('ip', ['netns', 'exec', this.namespace, 'ethtool', '-K', name, 'tso', 'off', 'gso', 'off']);
  }

  async #addTap(name: string, bridge: string): Promise<void> {
    await this.#ip('tuntap', 'add', 'dev', name, 'mode', 'tap');
    await this.#ip('link', 'set', name, 'mtu', mtu);
    await this.#ip('link', 'set', name, 'master', bridge, 'up');
  }

  async #ip(...args: string[]): Promise<void> {
    await execa('ip', ['-n', this.namespace, ...args]);
  }
}
