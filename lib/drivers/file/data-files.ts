import { rename } from 'node:fs/promises';
import path from 'node:path';
import { KeyedMutex } from '../../concurrency.ts';
import { asError, errors } from '../../errors.ts';
import { errorCode, removeFile, statIfExists, syncDirectory } from '../../files.ts';
import { isFull } from '../../named-directory.ts';
import type { Processes } from '../../process.ts';
import type { CopyOptions } from '../snapshots.ts';
import { type CopySource, copy } from './copy.ts';
import { obstacleTo, removing } from './obstacles.ts';
import { ensureFile, partOf, poolFiles } from './pool-files.ts';
import type { PoolSpace } from './space.ts';

/** A file that is to be there. */
export interface FileRequest {
  file: string;
  sizeBytes: number;
  /** Writes its labels. */
  label: () => Promise<void>;
  /** What a new file is a copy of. */
  source?: CopySource | undefined;
}

/** Makes and removes the files of volumes and snapshots. */
export class DataFiles {
  private readonly directory: string;
  private readonly space: PoolSpace;
  private readonly processes: Processes;
  private readonly mutex = new KeyedMutex();
  /** Copies that this daemon makes. */
  private readonly underWay = new Set<string>();

  constructor(directory: string, space: PoolSpace, processes: Processes) {
    this.directory = directory;
    this.space = space;
    this.processes = processes;
  }

  /** Runs what makes or removes a file one at a time. */
  exclusively<T>(file: string, work: () => Promise<T>, signal?: AbortSignal): Promise<T> {
    return this.mutex.run(file, work, signal);
  }

  /** Keeps what exists, larger where it has not the size. Durable. Throws NoSpace, what the source says, and the signal's reason. */
  async ensure({ file, sizeBytes, label, source }: FileRequest, options: CopyOptions = {}): Promise<void> {
    const copied = (await statIfExists(file)) === undefined ? source : undefined;
    await copied?.check();
    const takeBack = await this.space.reserve(path.basename(file), sizeBytes);
    const part = partOf(file);
    this.underWay.add(part);
    try {
      if (copied) await copy(this.processes, copied, part, sizeBytes, options);
      // Labels first: a file with data always has them.
      await label();
      if (copied) await rename(part, file);
      await ensureFile(file, sizeBytes);
    } catch (error) {
      await removeFile(part);
      if (((await statIfExists(file))?.size ?? 0) < sizeBytes) takeBack();
      options.signal?.throwIfAborted();
      if (isFull(error)) throw errors.poolFull(this.directory, asError(error).message);
      throw error;
    } finally {
      this.underWay.delete(part);
    }
  }

  /** Removes the files in this order, of which `file` has the data. Throws `busy`. */
  async remove(file: string, files: readonly string[], busy: (by: string) => Error): Promise<void> {
    const obstacle = await obstacleTo(file);
    if (obstacle !== undefined) throw busy(obstacle);
    for (const one of [...files, partOf(file)]) await removing(one, busy);
    await syncDirectory(this.directory);
    this.space.release(path.basename(file));
  }

  /** Removes copies that a daemon did not complete. */
  async removeInterrupted(): Promise<void> {
    const parts = (await poolFiles(this.directory)).filter(({ isPart }) => isPart);
    for (const part of parts.map(({ name }) => path.join(this.directory, name))) {
      try {
        if (!this.underWay.has(part)) await removeFile(part);
      } catch (error) {
        // A file system that is read-only serves the volumes that it has.
        if (errorCode(error) === undefined) throw error;
      }
    }
  }
}
