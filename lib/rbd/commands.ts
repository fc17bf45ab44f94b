import type { z } from 'zod';
import { CommandError, type CommandFailure } from '../command-error.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';
import { type Cluster, type ImageFailure, clusterError, imageFailure, reasonIn } from './failures.ts';

export interface RbdCommandOptions {
  signal?: AbortSignal | undefined;
  /** Whether the time depends on the size of an image: only the cluster's silence ends it. */
  isLong?: boolean;
}

export type RbdAnswer =
  | { failure: undefined; stdout: string }
  /** `reason`: the line in which rbd gives it. */
  | { failure: ImageFailure; reason: string };

export interface TimeLimits {
  /** Seconds until an unanswered request to a monitor fails. */
  monitor: number;
  /** Seconds until an unanswered request to an OSD fails. */
  osd: number;
}

const defaultLimits: TimeLimits = { monitor: 15, osd: 60 };
const longMs = 24 * 3600 * 1000;

/** Runs rbd, rados and ceph for one pool as one user. A cluster that does not answer ends each within its time limit. */
export class RbdCommands {
  readonly cluster: Cluster;
  private readonly processes: Processes;
  private readonly limits: TimeLimits;

  constructor(cluster: Cluster, processes: Processes, limits: TimeLimits = defaultLimits) {
    this.cluster = cluster;
    this.processes = processes;
    this.limits = limits;
  }

  /** Returns those of another pool of the cluster, as the same user. */
  inPool(pool: string): RbdCommands {
    return pool === this.cluster.pool ? this : new RbdCommands({ ...this.cluster, pool }, this.processes, this.limits);
  }

  /** Throws CephUnreachable, NoCephPool, CephDenied, CephConfiguration, RbdFailed, CommandNotFound. */
  async rbd(args: readonly string[], options: RbdCommandOptions = {}): Promise<RbdAnswer> {
    return this.attempt('rbd', args, options);
  }

  /** Returns what rbd prints with `--format json`; undefined where the image does not exist. Throws what rbd() throws. */
  async read<T>(shape: z.ZodType<T>, args: readonly string[]): Promise<T | undefined> {
    const answer = await this.attempt('rbd', [...args, '--format', 'json'], {});
    // `image-meta list` prints nothing at all where there is no metadata.
    if (answer.failure === undefined) return parsed(shape, answer.stdout || '{}', `rbd ${args.join(' ')}`);
    if (answer.failure === 'absent') return undefined;
    throw errors.rbdFailed(`rbd ${args.join(' ')}`, answer.reason);
  }

  /** The same of a command of `ceph`, which must succeed. */
  async ceph<T>(shape: z.ZodType<T>, args: readonly string[]): Promise<T> {
    const limit = ['--connect-timeout', String(this.limits.monitor)];
    const answer = await this.attempt('ceph', [...limit, ...args, '--format', 'json'], {});
    if (answer.failure !== undefined) throw errors.rbdFailed(`ceph ${args.join(' ')}`, answer.reason);
    return parsed(shape, answer.stdout, `ceph ${args.join(' ')}`);
  }

  /** Throws CephDenied for a user who may not write to the pool. Changes nothing: it removes an object that does not exist. */
  async checkWritable(): Promise<void> {
    const args = ['--pool', this.cluster.pool, 'rm', 'blockstore-checks-its-rights'];
    const { failure } = await this.execute('rados', args, {});
    if (failure === undefined || /No such file or directory/.test(failure.stderr)) return;
    throw errors.rbdFailed(`rados ${args.join(' ')}`, reasonIn(failure.stderr));
  }

  /** Starts rbd with its output, for its progress. How it ended is not known: the caller reads the image afterwards. */
  start(args: readonly string[]) {
    return this.processes.resident('rbd', this.argumentsOf('rbd', args), {});
  }

  private async attempt(command: string, args: readonly string[], options: RbdCommandOptions): Promise<RbdAnswer> {
    const { failure, stdout } = await this.execute(command, args, options);
    if (failure === undefined) return { failure, stdout };
    const reason = reasonIn(failure.stderr);
    const kind = imageFailure(failure);
    if (kind === undefined) throw errors.rbdFailed(`${command} ${args.join(' ')}`, reason);
    return { failure: kind, reason };
  }

  /** Throws for a failure that concerns the whole cluster. */
  private async execute(
    command: string,
    args: readonly string[],
    { signal, isLong = false }: RbdCommandOptions,
  ): Promise<{ failure: CommandFailure | undefined; stdout: string }> {
    const timeoutMs = isLong ? longMs : (this.limits.monitor + this.limits.osd) * 1000;
    const options = { timeoutMs, ...(signal ? { signal } : {}) };
    try {
      const { stdout } = await this.processes.run(command, this.argumentsOf(command, args), options);
      return { failure: undefined, stdout };
    } catch (error) {
      if (!(error instanceof CommandError)) throw error;
      const { failure } = error;
      if (failure.notFound) throw errors.commandMissing(command, 'ceph-common');
      if (failure.exitCode === undefined && !failure.timedOut) throw error;
      const reported = clusterError(failure, this.cluster, await this.monitors());
      if (reported) throw reported;
      return { failure, stdout: '' };
    }
  }

  private argumentsOf(command: string, args: readonly string[]): string[] {
    const { pool, user, conf } = this.cluster;
    const { monitor, osd } = this.limits;
    const limits = ['--client-mount-timeout', String(monitor), '--rados-osd-op-timeout', String(osd)];
    const own = command === 'rbd' ? ['--pool', pool] : [];
    return ['--id', user, '--conf', conf, ...(command === 'ceph' ? [] : limits), ...own, ...args];
  }

  /** Returns them as the configuration gives them, for messages: without the cluster. */
  private async monitors(): Promise<string> {
    try {
      const { stdout } = await this.processes.run('ceph-conf', ['--conf', this.cluster.conf, '--lookup', 'mon_host']);
      return stdout.trim() || 'unknown';
    } catch {
      return 'unknown';
    }
  }
}

/** Throws AnswerUnreadable. */
function parsed<T>(shape: z.ZodType<T>, text: string, command: string): T {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    throw errors.answerUnreadable(command, text);
  }
}
