import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { until } from '../support/until.ts';
import { LabNetwork } from './network.ts';
import type { LabPlace } from './place.ts';
import { LabRedis } from './redis.ts';
import { Resident } from './resident.ts';

const name = 'mymaster';
const ports = [26_379, 26_380, 26_381];

/** Two Redis, one of them the primary, and three Sentinels for the failover. */
export class LabSentinels {
  /** Flags of daemons and command lines: a change is acknowledged once both Redis have it. */
  readonly flags = {
    redis_url: '',
    redis_sentinels: ports.map((port) => `${LabNetwork.hostAddress}:${port}`).join(','),
    redis_sentinel_name: name,
    redis_min_replicas: '1',
  };
  /** Connects the test process, which is outside the lab's network, to the current primary. */
  readonly socket: string;
  readonly servers: readonly [LabRedis, LabRedis];
  #network: LabNetwork;
  #place: LabPlace;
  #residents: Resident[] = [];

  /** `first` runs and is the first primary. */
  constructor(network: LabNetwork, place: LabPlace, first: LabRedis) {
    this.#network = network;
    this.#place = place;
    this.servers = [first, new LabRedis(network, place, first.port + 1)];
    this.socket = place.file('primary.sock');
  }

  async start(): Promise<void> {
    const [first, second] = this.servers;
    await second.start({ replicaof: `${LabNetwork.hostAddress} ${first.port}` });
    for (const port of ports) await this.#startSentinel(port, first.port);
    const ask = `redis-cli -h ${LabNetwork.hostAddress} -p ${ports[0]} sentinel get-master-addr-by-name ${name}`;
    await writeFile(this.#place.file('lead.sh'), `exec socat - "TCP:$(${ask} | paste -sd :)"\n`);
    const listen = `UNIX-LISTEN:${this.socket},fork,backlog=64`;
    await this.#resident('socat', [listen, `EXEC:sh ${this.#place.file('lead.sh')}`], 'primary.log');
    await until(() => existsSync(this.socket), 'the way to the primary is open');
    await this.whole();
  }

  /** Returns the primary according to the Sentinels. */
  async primary(): Promise<LabRedis> {
    const port = await this.#ask('get-master-addr-by-name', name);
    const server = this.servers.find((one) => port.endsWith(String(one.port)));
    if (!server) throw new Error(`the Sentinels have no primary: ${port}`);
    return server;
  }

  /** Resolves once a replica is complete and known to the Sentinels. */
  async whole(): Promise<void> {
    await until(async () => {
      const known = await this.#ask('master', name);
      const replication = await (await this.primary()).command('INFO', 'replication');
      return (
        /^flags\nmaster$/m.test(known) &&
        /^num-slaves\n1$/m.test(known) &&
        /^num-other-sentinels\n2$/m.test(known) &&
        /^role:master\r?$/m.test(replication) &&
        /^slave0:.*state=online/m.test(replication)
      );
    }, 'Redis has a primary and a replica');
  }

  async kill(): Promise<void> {
    await Promise.all([...this.#residents, ...this.servers].map((one) => one.kill()));
  }

  async #ask(...words: string[]): Promise<string> {
    const [command, args] = this.#network.inside('redis-cli', [
      '-h',
      LabNetwork.hostAddress,
      '-p',
      String(ports[0]),
      'sentinel',
      ...words,
    ]);
    return (await execa(command, args, { timeout: 60_000 })).stdout;
  }

  async #startSentinel(port: number, primaryPort: number): Promise<void> {
    const file = this.#place.file(`sentinel-${port}.conf`);
    await writeFile(
      file,
      `bind ${LabNetwork.hostAddress}
port ${port}
dir ${this.#place.directory}
protected-mode no
sentinel monitor ${name} ${LabNetwork.hostAddress} ${primaryPort} 2
sentinel down-after-milliseconds ${name} 3000
sentinel failover-timeout ${name} 10000
`,
    );
    await this.#resident('redis-server', [file, '--sentinel'], `sentinel-${port}.log`);
  }

  async #resident(program: string, args: readonly string[], log: string): Promise<void> {
    const [command, commandArgs] = this.#network.inside(program, args);
    this.#residents.push(await Resident.start(command, commandArgs, this.#place.file(log)));
  }
}
