import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { CommandError } from '../../command-error.ts';
import { errors } from '../../errors.ts';
import { FileLock } from '../../file-lock.ts';
import { errorCode, readIfExists } from '../../files.ts';
import type { Processes } from '../../process.ts';

export interface PoolLockOptions {
  /** Two daemons of one node take turns by its lease. */
  node: string;
  processes: Processes;
}

/** Exclusive use of a pool: two nodes would both count its space as theirs. */
export class PoolLock {
  private readonly directory: string;
  private readonly file: string;
  private readonly options: PoolLockOptions | undefined;
  private lock: FileLock | undefined;

  constructor(directory: string, options: PoolLockOptions | undefined) {
    this.directory = directory;
    this.file = path.join(directory, '.blockstore-lock');
    this.options = options;
  }

  /** Throws StorageUnusable while a process of another node has the lock. */
  async take(): Promise<void> {
    if (!this.options || this.lock) return;
    const { node, processes } = this.options;
    try {
      this.lock = await FileLock.take(this.file, processes);
      if (this.lock) return await writeFile(this.file, `${node}\n`);
    } catch (error) {
      // A file system that is read-only, full or without locks serves the volumes that it has.
      if (error instanceof CommandError || errorCode(error) !== undefined) return;
      throw error;
    }
    const holder = (await readIfExists(this.file))?.trim() ?? '';
    if (holder !== node) throw errors.poolInUse(this.directory, holder);
  }

  async release(): Promise<void> {
    await this.lock?.release();
    this.lock = undefined;
  }
}
