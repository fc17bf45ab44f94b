import type { Flags } from '../../lib/flags/definitions.ts';
import { type Health, healthOf } from './health.ts';
import { Metrics } from './metrics.ts';
import type { DaemonParts } from './parts.ts';
import { RedisReader } from './redis-figures.ts';

export interface MonitoringAnswer {
  status: 200 | 503;
  type: string;
  text: string;
}

/** Answers the requests of those who watch a daemon. They need no token: nothing secret is in the answers. */
export class Monitoring {
  readonly metrics: Metrics;
  private readonly flags: Flags;
  private readonly parts: () => DaemonParts;
  private readonly redis: RedisReader;
  private collecting: Promise<string> | undefined;

  constructor(flags: Flags, parts: () => DaemonParts) {
    this.flags = flags;
    this.parts = parts;
    this.redis = new RedisReader(flags);
    this.metrics = new Metrics(flags.storage_name);
  }

  /** Returns the answer to GET; undefined where there is nothing at that path. `query`: names of its parameters. */
  async answer(path: string, query: Iterable<string>): Promise<MonitoringAnswer | undefined> {
    if (path === '/metrics') return { status: 200, type: this.metrics.contentType, text: await this.collect() };
    const asked = path === '/healthcheck' && [...query].includes('live') ? '/healthcheck/live' : path;
    if (asked === '/healthcheck/live') return json(200, { status: 'live' });
    if (asked === '/healthcheck' || asked === '/healthcheck/ready') {
      const health = await this.health();
      return json(health.status === 'ready' ? 200 : 503, health);
    }
    return undefined;
  }

  private async health(): Promise<Health> {
    const parts = this.parts();
    const redis = await this.readRedis(parts);
    return healthOf(parts, redis, { leaseMs: this.flags.node_down_time * 1000 });
  }

  /** All that ask at once get the same. */
  private collect(): Promise<string> {
    this.collecting ??= this.collectNow().finally(() => {
      this.collecting = undefined;
    });
    return this.collecting;
  }

  private async collectNow(): Promise<string> {
    const parts = this.parts();
    const redis = await this.readRedis(parts);
    const health = healthOf(parts, redis, { leaseMs: this.flags.node_down_time * 1000 });
    return this.metrics.text({ figures: parts.figures, redis, isReady: health.status === 'ready' });
  }

  private readRedis({ store, figures }: DaemonParts) {
    return this.redis.read(store, figures?.backends.map(({ name }) => name) ?? []);
  }
}

function json(status: 200 | 503, body: object): MonitoringAnswer {
  return { status, type: 'application/json', text: `${JSON.stringify(body)}\n` };
}
