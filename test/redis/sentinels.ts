import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FlagName } from '../../lib/flags/definitions.ts';
import { until } from '../support/until.ts';
import { RedisProcess } from './process.ts';

const name = 'main';

/** A primary with replicas, and three Sentinels that put a replica in its place after a second: real processes. */
export class RedisWithSentinels {
  readonly directory: string;
  readonly servers: RedisProcess[] = [];
  readonly sentinels: RedisProcess[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start({ replicas = 1 } = {}): Promise<RedisWithSentinels> {
    const group = new RedisWithSentinels(await mkdtemp(join(tmpdir(), 'blockstore-sentinels-')));
    const server = ['--appendonly', 'yes', '--repl-diskless-sync-delay', '0', '--repl-ping-replica-period', '1'];
    const primary = await RedisProcess.start(group.directory, ...server);
    group.servers.push(primary);
    for (let count = 0; count < replicas; count += 1) {
      group.servers.push(
        await RedisProcess.start(group.directory, ...server, '--replicaof', '127.0.0.1', String(primary.port)),
      );
    }
    await until(async () => (await group.replicas(primary)) === replicas, 'the replicas follow');
    for (let count = 0; count < 3; count += 1) group.sentinels.push(await group.startSentinel(count, primary));
    for (const sentinel of group.sentinels) {
      await until(async () => {
        const known = await sentinel.cli('SENTINEL', 'MASTER', name);
        return new RegExp(`num-slaves\n${replicas}\nnum-other-sentinels\n2`).test(known);
      }, 'each Sentinel knows all others');
    }
    return group;
  }

  get flags(): Partial<Record<FlagName, string>> {
    const redis_sentinels = this.sentinels.map(({ address }) => address).join(',');
    return { redis_sentinels, redis_sentinel_name: name };
  }

  /** Who is the primary now, as a Sentinel sees it. */
  async primary(): Promise<RedisProcess> {
    const [, port] = (await this.sentinels[0]?.cli('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', name))?.split('\n') ?? [];
    const found = this.servers.find((server) => String(server.port) === port);
    if (!found) throw new Error(`no server has port ${port}`);
    return found;
  }

  /** Another one is the primary, and says so itself. */
  async failedOver(from: RedisProcess): Promise<RedisProcess> {
    return until(async () => {
      const primary = await this.primary();
      return primary !== from && (await primary.cli('ROLE')).startsWith('master') && primary;
    }, 'a replica is the primary');
  }

  async stop(): Promise<void> {
    for (const one of [...this.sentinels, ...this.servers]) await one.kill();
    await rm(this.directory, { recursive: true, force: true });
  }

  private async replicas(primary: RedisProcess): Promise<number> {
    return (await primary.cli('INFO', 'replication')).split('state=online').length - 1;
  }

  private async startSentinel(count: number, primary: RedisProcess): Promise<RedisProcess> {
    const file = join(this.directory, `sentinel-${count}.conf`);
    const monitor = [
      `sentinel monitor ${name} 127.0.0.1 ${primary.port} 2`,
      `sentinel down-after-milliseconds ${name} 1000`,
      `sentinel failover-timeout ${name} 4000`,
    ];
    await writeFile(file, `${monitor.join('\n')}\n`);
    return RedisProcess.start(this.directory, file, '--sentinel');
  }
}
