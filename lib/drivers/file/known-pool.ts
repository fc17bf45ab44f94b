import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { z } from 'zod';
import { type BlockstoreError, errors } from '../../errors.ts';
import { errorCode, readIfExists, replaceFile, syncDirectory } from '../../files.ts';

const uuid = z.uuid();
const shape = z.record(z.string(), uuid);

/**
 * Tells the pool of the earlier starts from another directory of the same name, such as the mount point while its file system is not
 * mounted. The pool has a mark with a UUID, and the state directory a file with the UUID of each pool.
 */
export class KnownPool {
  private readonly directory: string;
  private readonly file: string | undefined;
  /** Undefined before the start, and where the pool takes no mark: then any directory is accepted. */
  private id: string | undefined;

  /** `file` has the UUIDs of the pools of this node; undefined: none are kept. */
  constructor(directory: string, file: string | undefined) {
    this.directory = directory;
    this.file = file;
  }

  /** Throws StorageUnusable for another pool than that of the earlier starts. */
  async open(): Promise<void> {
    const mark = await readMark(this.directory);
    const known = await readKnown(this.file);
    const problem = this.replaced(mark, known[this.directory]);
    if (problem) throw problem;
    try {
      this.id = mark ?? (await writeMark(this.directory));
      if (this.file === undefined || known[this.directory] === this.id) return;
      await replaceFile(this.file, `${JSON.stringify({ ...known, [this.directory]: this.id }, undefined, 2)}\n`, {
        flush: true,
      });
    } catch (error) {
      // A file system that is full or read-only serves the volumes that it has.
      if (errorCode(error) === undefined) throw error;
    }
  }

  /** Throws StorageUnusable when the pool is not that of the start any more. */
  async check(): Promise<void> {
    if (this.id !== undefined && (await readMark(this.directory)) !== this.id) throw this.error();
  }

  /** Returns what open() would throw, and changes nothing. */
  async problem(): Promise<BlockstoreError | undefined> {
    return this.replaced(await readMark(this.directory), (await readKnown(this.file))[this.directory]);
  }

  private replaced(mark: string | undefined, known: string | undefined): BlockstoreError | undefined {
    return known === undefined || mark === known ? undefined : this.error();
  }

  private error(): BlockstoreError {
    return errors.poolReplaced(this.directory, this.file ?? markOf(this.directory));
  }
}

function markOf(directory: string): string {
  return path.join(directory, '.blockstore-pool');
}

async function readMark(directory: string): Promise<string | undefined> {
  return uuid.safeParse((await readIfExists(markOf(directory)))?.trim()).data;
}

async function writeMark(directory: string): Promise<string> {
  const id = randomUUID();
  await replaceFile(markOf(directory), `${id}\n`, { flush: true, mode: 0o600 });
  await syncDirectory(directory);
  return id;
}

/** A damaged file says nothing. */
async function readKnown(file: string | undefined): Promise<Record<string, string>> {
  const text = file === undefined ? undefined : await readIfExists(file);
  try {
    return shape.parse(JSON.parse(text ?? '{}'));
  } catch {
    return {};
  }
}
