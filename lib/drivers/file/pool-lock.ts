import path from 'node:path';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import { FileLock } from '../../file-lock.ts';
import { errorCode } from '../../files.ts';
import type { Processes } from '../../process.ts';

/** Exclusive use of a pool: two daemons would both count its space as theirs. */
export class PoolLock {
  private readonly directory: string;
  private readonly processes: Processes | undefined;
  private lock: FileLock | undefined;

  constructor(directory: string, processes: Processes | undefined) {
    this.directory = directory;
    this.processes = processes;
  }

  /** Throws StorageUnusable while another process has the lock. */
  async take(): Promise<void> {
    if (!this.processes || this.lock) return;
    try {
      this.lock = await FileLock.take(path.join(this.directory, '.blockstore-lock'), this.processes);
    } catch (error) {
      // A file system that is read-only, full or without locks serves the volumes that it has.
      if (error instanceof CommandError || errorCode(error) !== undefined) return;
      throw error;
    }
    if (!this.lock) throw errors.poolInUse(this.directory);
  }

  async release(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }
}
