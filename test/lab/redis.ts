import { execa } from 'execa';
import { until } from '../support/until.ts';
import { LabNetwork } from './network.ts';
import type { LabPlace } from './place.ts';
import { Resident } from './resident.ts';

/** A Redis of a lab, on the host's side of the data bridge: partitions separate nodes from it. */
export class LabRedis {
  readonly port: number;
  readonly url: string;
  /** The same server for the test process, which is outside the lab's network. */
  readonly socket: string;
  #network: LabNetwork;
  #place: LabPlace;
  #server: Resident | undefined;

  constructor(network: LabNetwork, place: LabPlace, port = 6379) {
    this.port = port;
    this.url = `redis://${LabNetwork.hostAddress}:${port}`;
    this.#network = network;
    this.#place = place;
    this.socket = place.file(`redis-${port}.sock`);
  }

  get isRunning(): boolean {
    return this.#server?.running ?? false;
  }

  /** `settings` are additional settings of redis-server. */
  async start(settings: Readonly<Record<string, string>> = {}): Promise<void> {
    const options = {
      bind: LabNetwork.hostAddress,
      port: String(this.port),
      unixsocket: this.socket,
      dir: this.#place.directory,
      appendonly: 'yes',
      appenddirname: `redis-${this.port}`,
      dbfilename: `redis-${this.port}.rdb`,
      save: '',
      'protected-mode': 'no',
      daemonize: 'no',
      ...settings,
    };
    const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, value]);
    const [command, commandArgs] = this.#network.inside('redis-server', args);
    this.#server = await Resident.start(command, commandArgs, this.#place.file(`redis-${this.port}.log`));
    await until(async () => (await this.command('PING')) === 'PONG', 'the lab’s Redis answers');
  }

  async command(...args: string[]): Promise<string> {
    return (await execa('redis-cli', ['-s', this.socket, ...args], { timeout: 60_000 })).stdout;
  }

  async stop(): Promise<void> {
    await this.#server?.terminate();
  }

  async kill(): Promise<void> {
    await this.#server?.kill();
  }

  pause(): void {
    this.#server?.signal('SIGSTOP');
  }

  resume(): void {
    this.#server?.signal('SIGCONT');
  }
}
