import { type FileHandle, mkdir, open, readFile, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { errors } from '../errors.ts';
import { absentAs, errorCode, makeDirectory, replaceFile, statIfExists, syncDirectory } from '../files.ts';
import { isId } from '../models/id.ts';
import { inDirectory } from '../named-directory.ts';
import { type Backup, type BackupNotes, type Piece, backupSchema, parsePiece, writePiece } from './backup.ts';
import {
  type BackupReader,
  type BackupStore,
  type BackupWriter,
  amended,
  byAge,
  childIn,
  childMark,
  description,
  leaving,
  parentIn,
} from './store.ts';

/** Backups as directories of one directory, which nodes share: `<id>/backup.json`, `pieces`, `data` and `needed-by-<id>`. */
export class BackupDirectory implements BackupStore {
  readonly place: string;

  constructor(directory: string) {
    this.place = directory;
  }

  async show(id: string): Promise<Backup> {
    const found = await this.within(() => this.find(id));
    if (!found) throw errors.backupNotFound(id, this.place);
    return found;
  }

  async ids(): Promise<string[]> {
    return (await this.within(() => absentAs([], readdir(this.place)))).filter(isId);
  }

  async list(onUnreadable: (id: string, reason: string) => void = () => {}): Promise<Backup[]> {
    const found: Backup[] = [];
    for (const id of await this.ids()) {
      try {
        const backup = await this.find(id);
        if (backup) found.push(backup);
      } catch (error) {
        onUnreadable(id, error instanceof Error ? error.message : String(error));
      }
    }
    return byAge(found);
  }

  create(backup: Backup): Promise<void> {
    return this.within(() => this.make(backup));
  }

  private async make(backup: Backup): Promise<void> {
    await makeDirectory(this.place);
    const place = this.file(backup.id);
    try {
      await mkdir(place, { mode: 0o700 });
    } catch (error) {
      if (errorCode(error) === 'EEXIST') throw errors.backupExists(backup.id);
      throw error;
    }
    const { id, parent } = backup;
    try {
      if (parent !== null) await absentAs(undefined, this.mark(parent, id));
      await this.describe(backup);
      await syncDirectory(this.place);
      if (parent !== null && (await this.find(parent))?.status !== 'available') {
        throw errors.backupNotFound(parent, this.place);
      }
    } catch (error) {
      await rm(place, { recursive: true, force: true });
      if (parent !== null) await rm(this.file(parent, childMark(id)), { force: true });
      throw error;
    }
  }

  private async mark(parent: string, child: string): Promise<void> {
    await writeFile(this.file(parent, childMark(child)), '', { mode: 0o600 });
    await syncDirectory(this.file(parent));
  }

  async describe(backup: Backup): Promise<void> {
    const text = `${JSON.stringify(backup)}\n`;
    await this.within(async () => {
      await replaceFile(this.file(backup.id, description), text, { flush: true, mode: 0o600 });
      await syncDirectory(this.file(backup.id));
    });
  }

  async amend(id: string, changes: BackupNotes): Promise<Backup> {
    const backup = amended(await this.show(id), changes);
    await absentAs(undefined, this.describe(backup));
    // Its removal begins with another name of the description.
    if (await statIfExists(this.file(id, leaving))) {
      await rm(this.file(id, description), { force: true });
      throw errors.backupNotFound(id, this.place);
    }
    return backup;
  }

  async write(id: string): Promise<BackupWriter> {
    const data = await this.emptied(id, 'data');
    const pieces = await this.emptied(id, 'pieces').catch(async (error: unknown) => {
      await data.close();
      throw error;
    });
    return {
      append: (part) => this.within(() => data.appendFile(part)),
      note: (piece) => this.within(() => pieces.appendFile(writePiece(piece))),
      finish: () =>
        this.within(async () => {
          await data.sync();
          await pieces.sync();
        }),
      [Symbol.asyncDispose]: async () => {
        await data.close();
        await pieces.close();
      },
    };
  }

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

  async open(id: string): Promise<BackupReader> {
    const file = await this.opened(id, 'data');
    return {
      read: async (offset, length) => {
        const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, offset);
        return buffer.subarray(0, bytesRead);
      },
      [Symbol.asyncDispose]: () => file.close(),
    };
  }

  remove(id: string): Promise<boolean> {
    return this.within(() => this.removeAll(id));
  }

  private async removeAll(id: string): Promise<boolean> {
    if (!isId(id)) return false;
    const wasThere = (await statIfExists(this.file(id))) !== undefined;
    const [from, to] = [this.file(id, description), this.file(id, leaving)];
    await absentAs(undefined, rename(from, to));
    try {
      const needed = await this.childrenOf(id);
      if (needed.length > 0) throw errors.backupNeeded(id, needed);
    } catch (error) {
      await absentAs(undefined, rename(to, from));
      throw error;
    }
    const parent = parentIn(await absentAs('', readFile(to, 'utf8')));
    if (parent !== undefined) await absentAs(undefined, rm(this.file(parent, childMark(id)), { force: true }));
    await rm(this.file(id), { recursive: true, force: true });
    await absentAs(undefined, syncDirectory(this.place));
    return wasThere;
  }

  /** Those that begin with it, also those that cannot be read. */
  private async childrenOf(id: string): Promise<string[]> {
    const marked = (await absentAs([], readdir(this.file(id)))).flatMap(childIn);
    const there = await Promise.all(marked.map((child) => statIfExists(this.file(child, description))));
    return marked.filter((_, index) => there[index]);
  }

  private emptied(id: string, name: 'data' | 'pieces'): Promise<FileHandle> {
    return this.within(() => open(this.file(id, name), 'w', 0o600));
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

  private within<T>(work: () => Promise<T>): Promise<T> {
    return inDirectory({ flag: 'backup_directory', directory: this.place }, work);
  }

  private file(id: string, ...name: string[]): string {
    return join(this.place, id, ...name);
  }
}
