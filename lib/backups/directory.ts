import { type FileHandle, mkdir, open, readFile, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errors } from '../errors.ts';
import { absentAs, errorCode, makeDirectory, replaceFile, syncDirectory } from '../files.ts';
import { isId } from '../models/id.ts';
import { type Backup, type Piece, backupSchema, parsePiece } from './backup.ts';

const description = 'backup.json';
/** In its place while a backup is removed: none is made that needs it. */
const leaving = 'leaving.json';

/**
 * Backups as directories of one directory, which nodes share: `<id>/backup.json`, `pieces` and `data`. Each needs nothing but itself and
 * the backups before it: no Redis.
 */
export class BackupDirectory {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  /** Throws BackupNotFound, AnswerUnreadable. */
  async show(id: string): Promise<Backup> {
    const found = await this.find(id);
    if (!found) throw errors.backupNotFound(id, this.directory);
    return found;
  }

  /** Every backup, the oldest first; those that cannot be read go to `onUnreadable`. */
  async list(onUnreadable: (id: string, reason: string) => void = () => {}): Promise<Backup[]> {
    const found: Backup[] = [];
    for (const id of (await absentAs([], readdir(this.directory))).filter(isId)) {
      try {
        const backup = await this.find(id);
        if (backup) found.push(backup);
      } catch (error) {
        onUnreadable(id, error instanceof Error ? error.message : String(error));
      }
    }
    return found.toSorted((one, other) => one.createTime - other.createTime || (one.id < other.id ? -1 : 1));
  }

  /** Makes a backup without data, which names its parent: that stays from now on. Throws BackupExists, BackupNotFound. */
  async create(backup: Backup): Promise<void> {
    await makeDirectory(this.directory);
    const place = this.file(backup.id);
    try {
      await mkdir(place, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') throw errors.backupExists(backup.id);
      throw error;
    }
    await this.describe(backup);
    await syncDirectory(this.directory);
    if (backup.parent !== null && (await this.find(backup.parent))?.status !== 'available') {
      await rm(place, { recursive: true, force: true });
      throw errors.backupNotFound(backup.parent, this.directory);
    }
  }

  /** Replaces what a backup says of itself; its data are durable before. */
  async describe(backup: Backup): Promise<void> {
    const text = `${JSON.stringify(backup)}\n`;
    await replaceFile(this.file(backup.id, description), text, { flush: true, mode: 0o600 });
    await syncDirectory(this.file(backup.id));
  }

  /** Opens a file of a backup that is being made: empty, whatever an earlier run has left. */
  openToWrite(id: string, name: 'data' | 'pieces') {
    return open(this.file(id, name), 'w', 0o600);
  }

  /** The pieces of a backup, in the order of the volume. Throws BackupDamaged. */
  async *pieces(id: string): AsyncGenerator<Piece> {
    await using file = await this.opened(id, 'pieces');
    const lines = createInterface({ input: file.createReadStream({ autoClose: false }) });
    try {
      for await (const line of lines) {
        const piece = parsePiece(line);
        if (!piece) throw errors.backupDamaged(id, `${this.file(id, 'pieces')} has the line ${line.slice(0, 100)}`);
        yield piece;
      }
    } finally {
      lines.close();
    }
  }

  /** Opens the data of a backup. Throws BackupDamaged. */
  openData(id: string): Promise<FileHandle> {
    return this.opened(id, 'data');
  }

  /** An absent backup is success. Throws BackupNeeded naming those that begin with it. */
  async remove(id: string): Promise<void> {
    if (!isId(id)) return;
    const [from, to] = [this.file(id, description), this.file(id, leaving)];
    await absentAs(undefined, rename(from, to));
    const needed = (await this.list()).filter(({ parent }) => parent === id);
    if (needed.length > 0) {
      await absentAs(undefined, rename(to, from));
      throw errors.backupNeeded(
        id,
        needed.map((one) => one.id),
      );
    }
    await rm(this.file(id), { recursive: true, force: true });
    await absentAs(undefined, syncDirectory(this.directory));
  }

  private async opened(id: string, name: string): Promise<FileHandle> {
    const file = await absentAs(undefined, open(this.file(id, name), 'r'));
    if (!file) throw errors.backupDamaged(id, `${this.file(id, name)} does not exist`);
    return file;
  }

  /** Undefined where there is none, or it is being removed. */
  private async find(id: string): Promise<Backup | undefined> {
    if (!isId(id)) return undefined; // it is part of a path
    const text = await absentAs(undefined, readFile(this.file(id, description), 'utf8'));
    if (text === undefined) return undefined;
    try {
      return backupSchema.refine((backup) => backup.id === id).parse(JSON.parse(text));
    } catch {
      throw errors.answerUnreadable(this.file(id, description), text);
    }
  }

  private file(id: string, ...name: string[]): string {
    return join(this.directory, id, ...name);
  }
}
