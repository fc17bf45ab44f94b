import { isIPv6 } from 'node:net';
import { CommandError } from '../../command-error.ts';
import { type BlockstoreError, errors } from '../../errors.ts';
import type { Processes, RunResult } from '../../process.ts';
import { type ClusterState, type Image, type Space, parseCluster, parseImages, parseSpace } from './answers.ts';

export interface DogOptions {
  address: string;
  port: number;
}

/** What the command line of Sheepdog is called: since 0.8, and before. */
const commands = ['dog', 'collie'] as const;
const answerMs = 60_000;
const systemFailure = 2;
/** Of a command in an error: labels can be long. */
const longestLine = 200;

/** A command that ended with a failure, in its own words. */
class DogFailure extends Error {
  readonly isDown: boolean;

  constructor(words: string, isDown: boolean) {
    super(words);
    this.isDown = isDown;
  }
}

/** The command line of one Sheepdog cluster. It has no policy: `Images` verifies what a change did. */
export class Dog {
  /** Where the cluster is reached, `<address>:<port>`. */
  readonly cluster: string;
  private readonly processes: Processes;
  private readonly location: readonly string[];
  private command: (typeof commands)[number] | undefined;

  constructor({ address, port }: DogOptions, processes: Processes) {
    this.cluster = isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`;
    this.location = ['-a', address, '-p', String(port)];
    this.processes = processes;
  }

  /** Finds out what the command is called. Throws CommandNotFound, AnswerUnreadable, SheepdogUnavailable unless the cluster runs. */
  async find(): Promise<ClusterState> {
    this.command = undefined;
    return this.state();
  }

  /** Throws SheepdogUnavailable unless the cluster runs; dog itself ends with 0 where it does not. */
  async state(): Promise<ClusterState> {
    const { stdout } = await this.ask('cluster', 'info');
    const state = parseCluster(stdout);
    if (!state) throw this.unreadable('cluster info', stdout);
    if (!state.isRunning) throw errors.sheepdogNotRunning(this.cluster, state.status);
    return state;
  }

  /** Every image and snapshot. Throws AnswerUnreadable for a list with less: an image that it omits would be taken for deleted. */
  async images(): Promise<Image[]> {
    const { stdout, stderr } = await this.ask('vdi', 'list', '-r');
    const images = /fail/i.test(stderr) ? undefined : parseImages(stdout);
    if (!images) throw this.unreadable('vdi list -r', stderr || stdout);
    return images;
  }

  async space(): Promise<Space> {
    const { stdout } = await this.ask('node', 'info', '-r');
    const space = parseSpace(stdout);
    if (!space) throw this.unreadable('node info -r', stdout);
    return space;
  }

  /** Returns undefined where the image does not exist, or has no such attribute. */
  async attribute(image: string, key: string): Promise<string | undefined> {
    const args = ['getattr', image, key];
    try {
      return (await this.run('vdi', ...args)).stdout;
    } catch (error) {
      if (!(error instanceof DogFailure)) throw error;
      if (/^Attribute .* not found|^VDI not found/.test(error.message)) return undefined;
      throw this.errorOf(error, args);
    }
  }

  /**
   * Runs a subcommand of `vdi` that changes an image. Returns the failure that it reports by its exit code or in words. That it
   * reports none proves nothing: a delete that fails ends with 0.
   */
  async change(...args: string[]): Promise<BlockstoreError | undefined> {
    try {
      const { stderr } = await this.run('vdi', ...args);
      return stderr.trim() === '' ? undefined : this.failed(args, lastLine(stderr));
    } catch (error) {
      if (!(error instanceof DogFailure)) throw error;
      return this.errorOf(error, args);
    }
  }

  /** The error for a change that was not made. */
  failed(args: readonly string[], reason: string): BlockstoreError {
    return errors.sheepdogFailed(`${this.present} vdi ${args.join(' ')}`.slice(0, longestLine), this.cluster, reason);
  }

  /** Returns a subcommand of `vdi` for an administrator to run. */
  line(verb: string, ...args: string[]): string {
    return [this.present, 'vdi', verb, ...this.location, ...args].join(' ');
  }

  private get present(): string {
    return this.command ?? commands[0];
  }

  /** Runs a command that only reads. */
  private async ask(...args: string[]): Promise<RunResult> {
    try {
      return await this.run(...args);
    } catch (error) {
      throw error instanceof DogFailure ? errors.sheepdogDown(this.cluster, error.message) : error;
    }
  }

  private async run(...args: string[]): Promise<RunResult> {
    const [noun = '', verb = '', ...rest] = args;
    for (const command of this.command === undefined ? commands : [this.command]) {
      try {
        // Times are printed in the time zone of this process.
        const options = { timeoutMs: answerMs, env: { TZ: 'UTC' } };
        const result = await this.processes.run(command, [noun, verb, ...this.location, ...rest], options);
        this.command = command;
        return result;
      } catch (error) {
        if (!(error instanceof CommandError) || error.failure.cancelled) throw error;
        if (error.failure.notFound) continue;
        this.command = command;
        throw failureOf(error);
      }
    }
    throw errors.sheepdogMissing(this.cluster);
  }

  private errorOf({ message, isDown }: DogFailure, args: readonly string[]): BlockstoreError {
    return isDown ? errors.sheepdogDown(this.cluster, message) : this.failed(args, message);
  }

  private unreadable(command: string, output: string): BlockstoreError {
    return errors.sheepdogUnreadable(`${this.present} ${command}`, this.cluster, output);
  }
}

function failureOf({ failure }: CommandError): DogFailure {
  const { exitCode, signal, timedOut, stderr } = failure;
  if (timedOut) return new DogFailure(`no answer within ${answerMs / 1000} s`, true);
  const words = lastLine(stderr) || (signal === undefined ? `exit code ${exitCode}` : `ended by ${signal}`);
  return new DogFailure(words, exitCode === systemFailure || /connection refused|failed to connect/i.test(words));
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1)?.trim() ?? '';
}
