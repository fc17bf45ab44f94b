import { type FileHandle, open } from 'node:fs/promises';
import { CommandError } from './command-error.ts';
import type { Processes } from './process.ts';

const heldCode = 75;
/** How long the kernel may take to release the lock of a process that was killed. */
const waitS = 2;

/** An exclusive lock (flock(2)) on a file, held until it is released or this process ends, however it ends. */
export class FileLock {
  private readonly handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.handle = handle;
  }

  /**
   * Returns undefined while another process holds the lock. Node.js has no flock(2): the command flock(1) locks the open file that
   * it gets as its standard input, and the lock stays with that open file, which this process keeps.
   */
  static async take(file: string, processes: Processes): Promise<FileLock | undefined> {
    const handle = await open(file, 'a+', 0o600);
    try {
      const args = ['--exclusive', '--timeout', String(waitS), '--conflict-exit-code', String(heldCode), '0'];
      await processes.runOnFile('flock', args, handle.fd);
      return new FileLock(handle);
    } catch (error) {
      await handle.close();
      if (error instanceof CommandError && error.failure.exitCode === heldCode) return undefined;
      throw error;
    }
  }

  /** Returns the file system and the inode of the locked file, which no copy of it has. */
  async fileId(): Promise<string> {
    const { dev, ino } = await this.handle.stat({ bigint: true });
    return `${dev.toString(16)}.${ino.toString(16)}`;
  }

  async release(): Promise<void> {
    await this.handle.close();
  }
}
