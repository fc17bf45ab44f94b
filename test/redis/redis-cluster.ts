import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { FlagName } from '../../lib/flags/definitions.ts';
import { freePort } from '../support/free-port.ts';
import { until } from '../support/until.ts';
import { RedisProcess } from './process.ts';

/** A Redis Cluster of three primaries with a replica each, real processes. */
export class RedisCluster {
  readonly directory: string;
  readonly servers: RedisProcess[] = [];

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async start(): Promise<RedisCluster> {
    const cluster = new RedisCluster(await mkdtemp(join(tmpdir(), 'blockstore-redis-cluster-')));
    const options = ['--appendonly', 'yes', '--cluster-enabled', 'yes', '--cluster-node-timeout', '1000'];
    for (let count = 0; count < 6; count += 1) {
      const bus = ['--cluster-port', String(await freePort()), '--repl-diskless-sync-delay', '0'];
      cluster.servers.push(await RedisProcess.start(cluster.directory, ...options, ...bus));
    }
    const addresses = cluster.servers.map(({ address }) => address);
    await execa('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes']);
    for (const server of cluster.servers) {
      await until(async () => {
        const isOk = (await server.cli('CLUSTER', 'INFO')).includes('cluster_state:ok');
        return isOk && (await server.cli('INFO', 'replication')).match(/state=online|master_link_status:up/);
      }, 'the Cluster is whole');
    }
    return cluster;
  }

  /** Of one node alone: it names the others. */
  get flags(): Partial<Record<FlagName, string>> {
    return {
      redis_cluster: this.servers
        .slice(0, 2)
        .map(({ address }) => address)
        .join(','),
    };
  }

  /** Who has the keys of a prefix, as a server that runs sees it. */
  async owner(prefix: string): Promise<RedisProcess> {
    for (const server of this.servers) {
      const answer = await server.cli('GET', `{${prefix}}:none`).catch(() => undefined);
      if (answer === undefined || /CLUSTERDOWN|refused/.test(answer)) continue;
      const [, moved] = /^MOVED \d+ 127\.0\.0\.1:(\d+)/.exec(answer) ?? [];
      const port = moved === undefined ? server.port : Number(moved);
      const found = this.servers.find((one) => one.port === port);
      if (found && (await found.cli('ROLE').catch(() => '')).startsWith('master')) return found;
    }
    throw new Error(`nobody has the keys of ${prefix}`);
  }

  async failedOver(from: RedisProcess, prefix: string): Promise<RedisProcess> {
    return until(async () => {
      const owner = await this.owner(prefix);
      return owner !== from && owner;
    }, 'its replica has taken over');
  }

  async stop(): Promise<void> {
    for (const server of this.servers) await server.kill();
    await rm(this.directory, { recursive: true, force: true });
  }
}
