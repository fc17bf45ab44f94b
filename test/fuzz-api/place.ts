import { join } from 'node:path';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { everyNode } from '../../lib/models/node.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import type { Log } from '../../lib/log.ts';
import type { Store } from '../../lib/redis/store.ts';
import type { Api } from '../../services/api/api.ts';
import { disagreements } from '../support/agreement.ts';
import { startApi } from '../support/api.ts';
import { Cluster } from '../support/cluster.ts';
import { until } from '../support/until.ts';
import { secretForm } from './secrets.ts';

const nodes = ['n1', 'n2'];
/** So little that requests also meet a full cluster, and lists stay short. */
const nodeBytes = 100 * 2 ** 30;

/** A cluster with an API in this process. */
export class Place {
  readonly url: string;
  /** What the API has logged as an error without a name, or with a secret. */
  readonly failures: readonly string[];
  private readonly cluster: Cluster;
  private readonly api: Api;
  readonly store: Store;
  private readonly drivers: ReadonlyMap<string, FakeDriver>;

  private constructor(parts: {
    cluster: Cluster;
    api: Api;
    store: Store;
    url: string;
    failures: readonly string[];
    drivers: ReadonlyMap<string, FakeDriver>;
  }) {
    this.cluster = parts.cluster;
    this.api = parts.api;
    this.store = parts.store;
    this.url = parts.url;
    this.failures = parts.failures;
    this.drivers = parts.drivers;
  }

  static async create(flags: Partial<Record<keyof Flags, string>>): Promise<Place> {
    const cluster = await Cluster.start();
    const drivers = new Map(nodes.map((name) => [name, new FakeDriver({ totalBytes: nodeBytes })]));
    for (const [name, driver] of drivers) await cluster.node(name, { node_down_time: '60' }, { driver });
    const failures: string[] = [];
    const note = (message: string, fields: object = {}) => {
      const line = `${message} ${JSON.stringify(fields)}`;
      if (message.includes('internal error') || secretForm.test(line)) failures.push(line);
    };
    const log: Log = { error: note, warn: note, info: note, debug: note };
    const directories = {
      image_directory: join(cluster.directory, 'images'),
      backup_directory: join(cluster.directory, 'backups'),
    };
    const { api, client } = await startApi(cluster, { api_timeout: '10', ...directories, ...flags }, log);
    const store = await cluster.store();
    return new Place({ cluster, api, store, url: client.url, failures, drivers });
  }

  /** Waits until nothing is under way. Returns how records, indexes and storage differ. */
  async differences(): Promise<string[]> {
    await until(
      async () => (await everyNode(this.store)).nodes.every(({ pending, state }) => pending === 0 && state === 'up'),
      'nothing is under way on nodes that are up',
    );
    const storages = [...this.drivers].map(async ([node, driver]) => ({
      node,
      volumes: await driver.listVolumes(),
      snapshots: await driver.snapshots.listSnapshots(),
    }));
    return disagreements(this.store, await Promise.all(storages));
  }

  async remove(): Promise<void> {
    await this.api.stop();
    await this.cluster.close();
  }
}
