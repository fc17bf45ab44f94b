import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { clusterCommands } from '../../lib/client/cluster-commands.ts';
import { RecentCandidates } from '../../lib/client/placement.ts';
import { RequestClient } from '../../lib/client/request-client.ts';
import type { DriverStats } from '../../lib/drivers/driver.ts';
import { FakeDriver } from '../../lib/drivers/fake/driver.ts';
import { errors } from '../../lib/errors.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { loadFlags } from '../../lib/flags/load.ts';
import { silentLog } from '../../lib/log.ts';
import { ChildProcesses } from '../../lib/process.ts';
import { connect } from '../../lib/redis/connection.ts';
import { Store } from '../../lib/redis/store.ts';
import { Daemon } from '../../services/daemon/daemon.ts';
import { FakeTarget } from './fake-target.ts';
import { FaultyDriver } from './faulty-driver.ts';
import { RedisServer } from './redis-server.ts';
import { until } from './until.ts';

/** Storage in memory that reports a pool of thin volumes. */
class ThinDriver extends FakeDriver {
  override async stats(): Promise<DriverStats> {
    return { ...(await super.stats()), usage: { dataPercent: 40, metadataPercent: 10 } };
  }
}

const newVolume = { size: 1, userId: 'user', projectId: 'project' };
const deadline = { deadlineMs: 120_000 };

/** All services of a daemon in this process, with an API and metrics on free ports, on storage and exports in memory. */
export class MonitoredDaemon {
  readonly server: RedisServer;
  readonly driver = new FaultyDriver(new ThinDriver());
  readonly target = new FakeTarget();
  private readonly directory: string;
  private readonly daemon: Daemon;
  private readonly flags: Flags;
  private readonly lines: string[] = [];

  private constructor(server: RedisServer, directory: string) {
    this.server = server;
    this.directory = directory;
    this.flags = loadFlags({
      embedded: {
        storage_name: 'n1',
        state_dir: join(directory, 'state'),
        redis_url: server.url,
        report_interval: '1',
        node_down_time: '60',
        api_listen: '127.0.0.1:0',
        metrics_listen: '127.0.0.1:0',
        num_shell_tries: '1',
      },
    }).flags;
    const note = (message: string) => void this.lines.push(message);
    this.daemon = new Daemon({
      flags: this.flags,
      backends: [{ name: 'thin', driver: this.driver, target: this.target }],
      processes: new ChildProcesses(),
      log: { ...silentLog, info: note },
      onFenced: () => {},
    });
  }

  static async make(): Promise<MonitoredDaemon> {
    const server = await RedisServer.start();
    return new MonitoredDaemon(server, await mkdtemp(join(tmpdir(), 'blockstore-monitored-')));
  }

  static async start(): Promise<MonitoredDaemon> {
    const daemon = await MonitoredDaemon.make();
    await daemon.start();
    // On a busy machine its node may have to compare records and storage once more.
    const isAccepting = async () => (await daemon.metric('blockstore_backend_accepting', 'backend="thin"')) === 1;
    await until(isAccepting, 'it takes volumes');
    return daemon;
  }

  start(): Promise<void> {
    return this.daemon.start();
  }

  stop(): Promise<void> {
    return this.daemon.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    await this.server.stop();
    await rm(this.directory, { recursive: true, force: true });
  }

  /** Where the API is served. */
  get apiUrl(): string {
    return this.urlIn(/^the API is served at (\S+)/);
  }

  /** Where health and metrics are served. */
  get metricsUrl(): string {
    return this.urlIn(/^health and metrics are served at (\S+)/);
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.metricsUrl}/metrics`)).text();
  }

  /** The same, with those that are read from Redis, which does not answer in time on a busy machine. */
  async allMetrics(): Promise<string> {
    return until(async () => {
      const text = await this.metrics();
      return /^blockstore_redis_up 1$/m.test(text) && text;
    }, 'the metrics have what Redis has');
  }

  /** Returns the value of a metric; `labels` as in the text, in its order: `status="creating"`. */
  async metric(name: string, labels = ''): Promise<number | undefined> {
    const beginning = `${name}${labels === '' ? '' : `{${labels}}`} `;
    const line = (await this.metrics()).split('\n').find((text) => text.startsWith(beginning));
    return line === undefined ? undefined : Number(line.slice(beginning.length));
  }

  /** The client library, as the command line has it. The caller closes it. */
  async client() {
    const connection = await connect(this.flags, silentLog);
    const store = new Store(connection, this.flags.redis_prefix);
    const options = { client: new RequestClient(store), topic: 'volume', recent: new RecentCandidates() };
    return { ...clusterCommands(store, options), close: () => connection.close() };
  }

  /** Has something happen that shows in every metric: operations that succeed and fail, exports, requests that Redis fails. */
  async exercise(): Promise<void> {
    const { commands, close } = await this.client();
    try {
      const { id } = await commands.create(newVolume, deadline);
      await commands.attach(id, { instanceId: 'i-1', mountpoint: '/dev/vdb', hosts: [] }, deadline);
      const other = await commands.create(newVolume, deadline);
      this.driver.failOnce('deleteVolume', errors.storageMissing(other.id, 'somewhere'));
      await commands.delete(other.id, deadline).catch(() => undefined);
    } finally {
      await close();
    }
    this.target.restarts = 1;
    await fetch(`${this.apiUrl}/v3/project/volumes`);
    await this.server.down('SIGKILL');
    const volumes = () => fetch(`${this.apiUrl}/v3/project/volumes`);
    await until(async () => (await volumes()).status === 503, 'the API misses Redis');
    await this.server.up();
    await until(async () => (await volumes()).status === 200, 'the API has Redis again');
    await until(
      async () => (await this.metric('blockstore_exports_running', 'backend="thin"')) === 1,
      'it is exported',
    );
    await until(
      async () => (await this.metric('blockstore_backend_allocated_bytes', 'backend="thin"')) !== undefined,
      'Redis has the record of the backend again',
    );
  }

  private urlIn(form: RegExp): string {
    for (const line of this.lines) {
      const [, url] = form.exec(line) ?? [];
      if (url !== undefined) return url;
    }
    throw new Error(`no line of the log is ${String(form)}`);
  }
}
