import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { until } from '../support/until.ts';

/** A process that runs as long as the lab does, as leader of a group of its own, with its output in a file. */
export class Resident {
  readonly pid: number;
  /** Resolves when the leader has ended, with a word on how. */
  readonly ended: Promise<string>;
  #child: ChildProcess;

  static async start(command: string, args: readonly string[], logFile: string): Promise<Resident> {
    const log = openSync(logFile, 'a');
    try {
      const child = spawn(command, args, { detached: true, stdio: ['ignore', log, log], cwd: '/' });
      const ended = new Promise<string>((resolve) => {
        child.once('exit', (code, signal) => resolve(signal ?? `status ${code}`));
      });
      const pid = await new Promise<number>((resolve, reject) => {
        child.once('spawn', () =>
          child.pid === undefined ? reject(new Error(`${command}: no pid`)) : resolve(child.pid),
        );
        child.once('error', reject);
      });
      child.unref();
      return new Resident(child, pid, ended);
    } finally {
      closeSync(log);
    }
  }

  constructor(child: ChildProcess, pid: number, ended: Promise<string>) {
    this.#child = child;
    this.pid = pid;
    this.ended = ended;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Ends the whole group with no chance to tidy up. */
  async kill(): Promise<void> {
    this.#signalGroup('SIGKILL');
    await this.#gone('after SIGKILL');
  }

  /** Asks the leader to end. */
  async terminate(): Promise<void> {
    this.signal('SIGTERM');
    await this.#gone('after SIGTERM');
  }

  /** Waits for the leader to end by itself, then ends what it left behind. */
  async end(): Promise<void> {
    await until(() => !this.running, `process ${this.pid} ends`);
    await this.kill();
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) process.kill(this.pid, signal);
  }

  async #gone(when: string): Promise<void> {
    await until(() => !this.running && !this.#signalGroup(0), `process group ${this.pid} is gone ${when}`);
  }

  #signalGroup(signal: NodeJS.Signals | 0): boolean {
    try {
      return process.kill(-this.pid, signal);
    } catch {
      return false;
    }
  }
}
