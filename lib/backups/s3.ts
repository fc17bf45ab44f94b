import { Semaphore } from '../concurrency.ts';
import { asError, errors } from '../errors.ts';
import { isId } from '../models/id.ts';
import { type Backup, type BackupNotes, type Piece, backupSchema, parsePiece, writePiece } from './backup.ts';
import type { S3Bucket } from './s3-bucket.ts';
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

/** The data of a backup are in objects of so many bytes, the last one shorter: `<id>/data-0`, `-1`, … */
const objectBytes = 32 * 2 ** 20;
const concurrency = 8;

/** Backups as objects of a bucket: `<id>/backup.json`, `pieces`, `data-<n>` and `needed-by-<id>`. */
export class S3Backups implements BackupStore {
  readonly place: string;
  private readonly bucket: S3Bucket;

  constructor(bucket: S3Bucket) {
    this.bucket = bucket;
    this.place = bucket.place;
  }

  async show(id: string): Promise<Backup> {
    const found = await this.find(id);
    if (!found) throw errors.backupNotFound(id, this.place);
    return found;
  }

  async ids(): Promise<string[]> {
    return (await this.bucket.folders()).filter(isId);
  }

  async list(onUnreadable: (id: string, reason: string) => void = () => {}): Promise<Backup[]> {
    const found: Backup[] = [];
    const slots = new Semaphore(concurrency);
    const ids = await this.ids();
    const readOne = async (id: string) => {
      try {
        const backup = await this.find(id);
        if (backup) found.push(backup);
      } catch (thrown) {
        const error = asError(thrown);
        if (error.kind === 'unavailable') throw error;
        onUnreadable(id, error.message);
      }
    };
    await Promise.all(ids.map((id) => slots.run(() => readOne(id))));
    return byAge(found);
  }

  /** Of two at once with one id both are made: ids are random. */
  async create(backup: Backup): Promise<void> {
    if ((await this.bucket.names(`${backup.id}/`)).length > 0) throw errors.backupExists(backup.id);
    const { id, parent } = backup;
    if (parent !== null) await this.bucket.put(`${parent}/${childMark(id)}`, Buffer.alloc(0));
    await this.describe(backup);
    if (parent !== null && (await this.find(parent))?.status !== 'available') {
      await this.bucket.delete(`${id}/${description}`);
      await this.bucket.delete(`${parent}/${childMark(id)}`);
      throw errors.backupNotFound(parent, this.place);
    }
  }

  async describe(backup: Backup): Promise<void> {
    await this.bucket.put(`${backup.id}/${description}`, Buffer.from(`${JSON.stringify(backup)}\n`));
  }

  async amend(id: string, changes: BackupNotes): Promise<Backup> {
    const backup = amended(await this.show(id), changes);
    await this.describe(backup);
    // Its removal begins with another name of the description.
    if (await this.bucket.get(`${id}/${leaving}`)) {
      await this.bucket.delete(`${id}/${description}`);
      throw errors.backupNotFound(id, this.place);
    }
    return backup;
  }

  async write(id: string, signal: AbortSignal): Promise<BackupWriter> {
    for (const name of await this.bucket.names(`${id}/data-`)) await this.bucket.delete(name);
    return new S3Writer(this.bucket, id, signal);
  }

  async *pieces(id: string): AsyncGenerator<Piece> {
    const text = await this.object(id, 'pieces');
    for (const line of text.toString('utf8').split('\n').filter(Boolean)) {
      const piece = parsePiece(line);
      if (!piece) throw errors.backupDamaged(id, `its pieces have the line ${line.slice(0, 100)}`);
      yield piece;
    }
  }

  async open(id: string, signal: AbortSignal): Promise<BackupReader> {
    const { bucket } = this;
    return {
      read: async (offset, length) => {
        const parts: Buffer[] = [];
        for (let begin = offset; begin < offset + length; ) {
          const within = begin % objectBytes;
          const count = Math.min(offset + length - begin, objectBytes - within);
          const part = await bucket.get(nameOf(id, Math.floor(begin / objectBytes)), { from: within, count, signal });
          if (!part) throw errors.backupDamaged(id, `${nameOf(id, Math.floor(begin / objectBytes))} does not exist`);
          parts.push(part);
          begin += count;
        }
        return Buffer.concat(parts);
      },
      [Symbol.asyncDispose]: async () => {},
    };
  }

  async remove(id: string): Promise<boolean> {
    if (!isId(id)) return false;
    const { bucket } = this;
    const [from, to] = [`${id}/${description}`, `${id}/${leaving}`];
    const text = (await bucket.get(from)) ?? (await bucket.get(to));
    if (text) await bucket.put(to, text);
    await bucket.delete(from);
    try {
      const needed = await this.childrenOf(id);
      if (needed.length > 0) throw errors.backupNeeded(id, needed);
    } catch (error) {
      if (text) await bucket.put(from, text);
      await bucket.delete(to);
      throw error;
    }
    const parent = parentIn(text?.toString('utf8') ?? '');
    if (parent !== undefined) await bucket.delete(`${parent}/${childMark(id)}`);
    const slots = new Semaphore(concurrency);
    // What says that it is leaving goes last.
    const names = (await bucket.names(`${id}/`)).filter((name) => name !== to);
    await Promise.all(names.map((name) => slots.run(() => bucket.delete(name))));
    await bucket.delete(to);
    return text !== undefined || names.length > 0;
  }

  /** Those that begin with it, also those that cannot be read. */
  private async childrenOf(id: string): Promise<string[]> {
    const marked = (await this.bucket.names(`${id}/${childMark('')}`)).flatMap((name) =>
      childIn(name.slice(`${id}/`.length)),
    );
    const slots = new Semaphore(concurrency);
    const there = await Promise.all(marked.map((child) => slots.run(() => this.bucket.get(`${child}/${description}`))));
    return marked.filter((_, index) => there[index]);
  }

  private async object(id: string, name: string): Promise<Buffer> {
    const found = await this.bucket.get(`${id}/${name}`);
    if (!found) throw errors.backupDamaged(id, `${id}/${name} does not exist`);
    return found;
  }

  /** Undefined where there is none, or it is being removed. */
  private async find(id: string): Promise<Backup | undefined> {
    if (!isId(id)) return undefined; // it is part of a name
    const text = (await this.bucket.get(`${id}/${description}`))?.toString('utf8');
    if (text === undefined) return undefined;
    try {
      return backupSchema.refine((backup) => backup.id === id).parse(JSON.parse(text));
    } catch {
      throw errors.answerUnreadable(`${this.place}/${id}/${description}`, text);
    }
  }
}

function nameOf(id: string, number: number): string {
  return `${id}/data-${number}`;
}

/** Collects an object before it is sent: then its checksum goes first. */
class S3Writer implements BackupWriter {
  private readonly bucket: S3Bucket;
  private readonly id: string;
  private readonly signal: AbortSignal;
  private readonly pieces: string[] = [];
  private parts: Buffer[] = [];
  private filled = 0;
  private sent = 0;

  constructor(bucket: S3Bucket, id: string, signal: AbortSignal) {
    this.bucket = bucket;
    this.id = id;
    this.signal = signal;
  }

  async append(data: Buffer): Promise<void> {
    for (let rest = data; rest.length > 0; ) {
      const part = rest.subarray(0, objectBytes - this.filled);
      this.parts.push(part);
      this.filled += part.length;
      rest = rest.subarray(part.length);
      if (this.filled === objectBytes) await this.flush();
    }
  }

  async note(piece: Piece): Promise<void> {
    this.pieces.push(writePiece(piece));
  }

  async finish(): Promise<void> {
    if (this.filled > 0) await this.flush();
    await this.bucket.put(`${this.id}/pieces`, Buffer.from(this.pieces.join('')));
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  private async flush(): Promise<void> {
    const data = Buffer.concat(this.parts);
    [this.parts, this.filled] = [[], 0];
    await this.bucket.put(nameOf(this.id, this.sent), data, this.signal);
    this.sent += 1;
  }
}
