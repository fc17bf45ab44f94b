import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { CommandError } from '../../command-error.ts';
import { asError, errors } from '../../errors.ts';
import { makeDirectory, readIfExists, removeFile, replaceFile } from '../../files.ts';
import type { Processes } from '../../process.ts';

/** How long volumes are paused at most: hosts take a longer silence for a failure of the storage. */
const limitMs = 10_000;
const resumeTries = 5;
const resumePauseMs = 200;

/**
 * Has the writers of logical volumes wait, by suspending their devices. What is suspended is in a file, so that a daemon that is killed
 * meanwhile resumes it at its next start, and nothing that somebody else has suspended.
 */
export class Pauses {
  private readonly processes: Processes;
  private readonly directory: string;
  private readonly limitMs: number;
  private isPausing = false;

  constructor({ processes, directory, ...options }: { processes: Processes; directory: string; limitMs?: number }) {
    this.processes = processes;
    this.directory = directory;
    this.limitMs = options.limitMs ?? limitMs;
  }

  /**
   * Runs the work while all devices of these names are suspended; they are resumed however it ends, and after 10 s at the latest.
   * `check` throws once they were: what is done then is of a later moment. Throws PauseTooLong, LvmFailed.
   */
  async during(names: readonly string[], work: (check: () => void) => Promise<void>): Promise<void> {
    let isOver = false;
    const check = () => {
      if (isOver) throw errors.pauseTooLong(names.length, Math.round(this.limitMs / 1000));
    };
    await this.write(names);
    this.isPausing = true;
    const timer = setTimeout(() => {
      isOver = true;
      this.resume(names).catch(() => {}); // it is resumed at the end as well, which reports why it cannot be
    }, this.limitMs);
    try {
      await this.dmsetup(['suspend', ...names]);
      check();
      await work(check);
      check();
    } finally {
      clearTimeout(timer);
      try {
        await this.resume(names);
      } finally {
        this.isPausing = false;
      }
      await removeFile(this.file);
    }
  }

  /** Resumes what an earlier daemon has left suspended; what is not there any more, as after a reboot, is passed over. */
  async resumeLeft(): Promise<void> {
    if (this.isPausing) return;
    const names = (await readIfExists(this.file))?.split('\n').filter((name) => name !== '') ?? [];
    if (names.length > 0) await this.resume(names);
    await removeFile(this.file);
  }

  private async write(names: readonly string[]): Promise<void> {
    await makeDirectory(this.directory);
    await replaceFile(this.file, `${names.join('\n')}\n`);
  }

  private get file(): string {
    return path.join(this.directory, 'paused');
  }

  /** All at once; where that fails, each by itself. */
  private async resume(names: readonly string[]): Promise<void> {
    const resumeAll = () => this.dmsetup(['resume', '--noudevsync', ...names]);
    if (
      await resumeAll().then(
        () => true,
        () => false,
      )
    )
      return;
    const ended = await Promise.allSettled(names.map((name) => this.resumeOne(name)));
    const failure = ended.find((one) => one.status === 'rejected');
    if (failure) throw asError(failure.reason);
  }

  private async resumeOne(name: string): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.dmsetup(['resume', '--noudevsync', name]);
        return;
      } catch (error) {
        const { message } = asError(error);
        if (/no such device/i.test(message)) return;
        if (attempt === resumeTries) throw errors.notResumed(name, message);
      }
      await wait(resumePauseMs);
    }
  }

  private async dmsetup(args: readonly string[]): Promise<void> {
    await deviceMapper(this.processes, args, this.limitMs);
  }
}

/** Runs a command of device-mapper. Throws CommandNotFound, LvmFailed. */
export async function deviceMapper(processes: Processes, args: readonly string[], timeoutMs: number): Promise<void> {
  try {
    await processes.run('dmsetup', args, { asRoot: true, timeoutMs });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    const { notFound, stderr } = error.failure;
    if (notFound) throw errors.commandMissing('dmsetup', 'dmsetup');
    throw errors.lvmFailed(`dmsetup ${args.slice(0, 2).join(' ')}`, stderr.trim() || error.message);
  }
}
