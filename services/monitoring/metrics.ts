import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client';
import { taskKinds } from '../../lib/models/task.ts';
import type { ObserveScript } from '../../lib/redis/store.ts';
import { version } from '../../lib/version.ts';
import type { ObserveOperation } from '../node/engine/operation-outcome.ts';
import type { NodeFigures } from '../node/figures.ts';
import type { RedisFigures } from './redis-figures.ts';

/** Seconds. */
const operationBuckets = [0.005, 0.025, 0.1, 0.5, 1, 5, 15, 60, 300, 1800];
const scriptBuckets = [0.0002, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 5];
const requestBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

/** What is known at the moment of a request for metrics. */
export interface Snapshot {
  figures: NodeFigures | undefined;
  redis: RedisFigures | undefined;
  isReady: boolean;
}

/**
 * The metrics of one daemon. Labels have few values, all known beforehand: kinds of operations, statuses, scripts, calls, classes of HTTP
 * statuses, and the names of this node's backends. No label has an id, a path or the name of a project.
 */
export class Metrics {
  private readonly registry = new Registry();
  private readonly registers = [this.registry];

  private readonly operations = new Histogram({
    name: 'blockstore_operation_duration_seconds',
    help: 'Time from the moment the node took an operation up to its end, by outcome',
    labelNames: ['operation', 'outcome'],
    buckets: operationBuckets,
    registers: this.registers,
  });
  private readonly scripts = new Histogram({
    name: 'blockstore_redis_script_duration_seconds',
    help: 'Time from sending a script to Redis to its answer',
    labelNames: ['script'],
    buckets: scriptBuckets,
    registers: this.registers,
  });
  private readonly scriptFailures = new Counter({
    name: 'blockstore_redis_script_failures_total',
    help: 'Scripts that Redis refused or did not answer',
    registers: this.registers,
  });
  private readonly requests = new Histogram({
    name: 'blockstore_api_request_duration_seconds',
    help: 'Time that a request to the API of this node took, by call and class of the HTTP status',
    labelNames: ['call', 'status'],
    buckets: requestBuckets,
    registers: this.registers,
  });
  private readonly restarts = new Counter({
    name: 'blockstore_export_restarts_total',
    help: 'Exports that had ended and were started again since the daemon began',
    labelNames: ['backend'],
    registers: this.registers,
  });

  private readonly ready = this.gauge('ready', 'Whether /healthcheck/ready answers 200');
  private readonly volumes = this.gauge('volumes', 'Volumes of this node by status', 'status');
  private readonly underWay = this.gauge(
    'operations',
    'Operations that are carried out or wait on this node',
    'operation',
  );
  private readonly problems = this.gauge('problems', 'Problems that the node reports: blockstore node show');
  private readonly leaseAge = this.gauge('lease_age_seconds', 'Time since the lease of the node was last renewed');
  private readonly redisUp = this.gauge('redis_up', 'Whether Redis answers within two seconds');
  private readonly redisLatency = this.gauge('redis_latency_seconds', 'Time that Redis took to answer one request');
  private readonly topicLength = this.gauge('topic_length', 'Commands to this node that it has not fetched');
  private readonly tasks = this.gauge('tasks', 'Volumes of this node with a task in their record');
  private readonly oldestTask = this.gauge('oldest_task_age_seconds', 'Time since the oldest of these tasks began');
  private readonly backend = {
    total: this.gauge('backend_total_bytes', 'Size of the storage', 'backend'),
    free: this.gauge('backend_free_bytes', 'Free space of the storage', 'backend'),
    capacity: this.gauge('backend_capacity_bytes', 'What all volumes together may have', 'backend'),
    allocated: this.gauge('backend_allocated_bytes', 'Sum of the sizes of its volumes', 'backend'),
    data: this.gauge('backend_pool_data_ratio', 'Used part of the data of a pool of thin volumes', 'backend'),
    metadata: this.gauge('backend_pool_metadata_ratio', 'Used part of the metadata of such a pool', 'backend'),
    accepting: this.gauge('backend_accepting', 'Whether volumes may be placed on it', 'backend'),
    served: this.gauge('backend_served', 'Whether it passed its checks', 'backend'),
  };
  private readonly exports = {
    expected: this.gauge('exports_expected', 'Exports that should run, at the last look', 'backend'),
    running: this.gauge('exports_running', 'Those of them that did', 'backend'),
  };

  constructor(node: string) {
    collectDefaultMetrics({ register: this.registry });
    this.gauge('info', 'Version of the daemon and name of its node', 'version', 'node').set({ version, node }, 1);
  }

  readonly observeOperation: ObserveOperation = (operation, outcome, seconds) =>
    this.operations.observe({ operation, outcome }, seconds);

  readonly observeScript: ObserveScript = (script, seconds, isAnswered) => {
    if (isAnswered) this.scripts.observe({ script }, seconds);
    else this.scriptFailures.inc();
  };

  /** `call`: its name in the policy; `none` where a request means none. */
  readonly observeRequest = (call: string, status: number, seconds: number) =>
    this.requests.observe({ call, status: `${Math.floor(status / 100)}xx` }, seconds);

  get contentType(): string {
    return this.registry.contentType;
  }

  /** Returns all of it in the text format of Prometheus. */
  async text({ figures, redis, isReady }: Snapshot): Promise<string> {
    this.ready.set(isReady ? 1 : 0);
    this.setRedis(redis);
    if (figures) this.setNode(figures);
    return this.registry.metrics();
  }

  private setRedis(redis: RedisFigures | undefined): void {
    this.redisUp.set(redis ? 1 : 0);
    setOrRemove(this.redisLatency, redis?.latency);
    setOrRemove(this.topicLength, redis?.topicLength);
    setOrRemove(this.tasks, redis?.tasks);
    setOrRemove(this.oldestTask, redis?.oldestTaskAge);
    this.backend.allocated.reset();
    for (const [backend, bytes] of redis?.allocated ?? []) this.backend.allocated.set({ backend }, bytes);
  }

  private setNode(figures: NodeFigures): void {
    for (const [status, count] of figures.volumes) this.volumes.set({ status }, count);
    for (const operation of taskKinds) this.underWay.set({ operation }, figures.operations.get(operation) ?? 0);
    this.problems.set(figures.problems);
    setOrRemove(this.leaseAge, figures.leaseAgeMs === undefined ? undefined : figures.leaseAgeMs / 1000);
    for (const { name: backend, totalBytes, freeBytes, capacityBytes, accepting, ...rest } of figures.backends) {
      this.backend.total.set({ backend }, totalBytes);
      this.backend.free.set({ backend }, freeBytes);
      this.backend.capacity.set({ backend }, capacityBytes);
      this.backend.accepting.set({ backend }, accepting ? 1 : 0);
      this.backend.served.set({ backend }, figures.served.has(backend) ? 1 : 0);
      if (rest.dataPercent !== null) this.backend.data.set({ backend }, rest.dataPercent / 100);
      if (rest.metadataPercent !== null) this.backend.metadata.set({ backend }, rest.metadataPercent / 100);
    }
    for (const [backend, { expected, running }] of figures.exports) {
      this.exports.expected.set({ backend }, expected);
      this.exports.running.set({ backend }, running);
    }
    this.restarts.reset();
    for (const [backend, count] of figures.restarts) this.restarts.inc({ backend }, count);
  }

  private gauge<Label extends string>(name: string, help: string, ...labelNames: Label[]): Gauge<Label> {
    return new Gauge({ name: `blockstore_${name}`, help, labelNames, registers: this.registers });
  }
}

/** Without a value there is no sample: 0 would be one. */
function setOrRemove(gauge: Gauge<never>, value: number | undefined): void {
  if (value === undefined) gauge.remove();
  else gauge.set(value);
}
