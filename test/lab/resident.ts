import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { until } from '../support/until.ts';

/** A process that runs as long as the lab, as leader of its own group, with its output in a file. */
export class Resident {
  readonly pid: number;
  /** Resolves when the leader has ended, with a description. */
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

  /** Kills the whole group. */
  async kill(): Promise<void> {
    this.#signalGroup('SIGKILL');
    await this.#gone('after SIGKILL');
  }

  /** Terminates the leader. */
  async terminate(): Promise<void> {
    this.signal('SIGTERM');
    await this.#gone('after SIGTERM');
  }

  /** Waits for the end of the leader, then kills the rest of its group. */
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
