import type { Command } from 'commander';
import type { LoadedFlags } from '../lib/flags/load.ts';
import { configFile } from './config-file.ts';
import { Interrupts } from './interrupt.ts';
import { Output } from './output.ts';
import type { Session } from './session.ts';

/** Options of every command. */
export interface GlobalOptions {
  config?: string;
  /** With --redis-url as redis_url=…. */
  set?: readonly string[];
  json?: boolean;
  color: boolean;
  quiet?: boolean;
}

/** Context of one command. Flags and the Redis client are loaded on demand: they take most of the start-up time. */
export class Context {
  readonly output: Output;
  readonly interrupts: Interrupts;
  readonly configFile: string | undefined;
  private readonly options: GlobalOptions;

  constructor(options: GlobalOptions) {
    this.options = options;
    this.output = new Output({ json: options.json === true, color: options.color, quiet: options.quiet === true });
    this.interrupts = new Interrupts(this.output);
    this.configFile = configFile(options.config);
  }

  static of(command: Command): Context {
    return new Context(command.optsWithGlobals<GlobalOptions>());
  }

  /** Throws InvalidFlags. */
  async loadFlags(): Promise<LoadedFlags> {
    const { loadFlags } = await import('../lib/flags/load.ts');
    return loadFlags({ file: this.configFile, env: process.env, set: this.options.set ?? [] });
  }

  /** Connects to Redis; the caller disposes of the session. Throws InvalidFlags, RedisUnreachable, RedisDenied. */
  async open(): Promise<Session> {
    const [{ flags }, { openSession }] = await Promise.all([this.loadFlags(), import('./session.ts')]);
    return openSession(flags, this.output);
  }
}
