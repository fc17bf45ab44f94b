import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { BackupDirectory } from '../../lib/backups/directory.ts';
import { ImageDirectory } from '../../lib/images/directory.ts';

/** The backends of such a place, the first for its volumes. */
export const pair = { first: 'first', other: 'other' } as const;

/** Where a node has the stores of images and backups. */
export interface StoreFiles {
  /** Where this process works on them. */
  readonly directory: string;
  /** Removes them, and what the node remembers of images. */
  clear(): Promise<void>;
  /** The node has what is in `directory`. */
  put(): Promise<void>;
  /** `directory` has the descriptions of what the node has. */
  get(): Promise<void>;
  /** Writes to a volume on the first backend, from an offset in bytes. */
  write(volume: string, data: Buffer, offset: number): Promise<void>;
  /** What each volume begins with, on both backends, a line each. */
  beginnings(): Promise<string[]>;
}

/** What scenes of images, backups and migrations need besides: two backends, and stores of images and backups. */
export class Copies {
  /** Places, as `node@backend`. */
  readonly first: string;
  readonly other: string;
  private readonly files: StoreFiles;
  private readonly images: ImageDirectory;
  private readonly backups: BackupDirectory;

  constructor(node: string, files: StoreFiles) {
    this.first = `${node}@${pair.first}`;
    this.other = `${node}@${pair.other}`;
    this.files = files;
    const { image_directory, backup_directory } = storeFlags(files.directory);
    this.images = new ImageDirectory(image_directory);
    this.backups = new BackupDirectory(backup_directory);
  }

  clear(): Promise<void> {
    return this.files.clear();
  }

  /** An image with data. */
  async addImage(id: string): Promise<void> {
    await this.images.create({ id, name: 'crash', diskFormat: 'raw' });
    await this.images.upload(id, Readable.from([dataOf('image')]));
    await this.files.put();
  }

  /** An image that is to get those of a volume. */
  async newImage(id: string): Promise<void> {
    await this.images.create({ id, name: 'crash', diskFormat: 'qcow2' });
    await this.files.put();
  }

  /** A backup that is to get the data of a volume. */
  async newBackup(id: string, volume: string): Promise<void> {
    const own = { id, name: 'crash', volume, volumeName: '', userId: 'user', projectId: 'project', size: 0 };
    const none = { status: 'creating', parent: null, checksum: null, storedBytes: 0 } as const;
    await this.backups.create({ ...own, ...none, createTime: Date.now() });
    await this.files.put();
  }

  async isBackedUp(id: string): Promise<boolean> {
    await this.files.get();
    return (await this.backups.show(id)).status === 'available';
  }

  /** Gives a volume data. */
  write(volume: string): Promise<void> {
    return this.files.write(volume, dataOf('volume'), 0);
  }

  /** Gives it other data, also behind these. */
  overwrite(volume: string): Promise<void> {
    return this.files.write(volume, Buffer.concat([dataOf('later'), dataOf('later')]), 0);
  }

  /** Gives it 16 MiB more, behind a hole: a migration has progress there, and is not over soon where its rate is limited. */
  writeMuch(volume: string): Promise<void> {
    return this.files.write(volume, Buffer.concat(Array<Buffer>(512).fill(dataOf('much'))), 2 ** 26);
  }

  /** What is copied must be there as well. Read at rest alone: a reader keeps storage from being removed. */
  data(): Promise<string[]> {
    return this.files.beginnings();
  }

  /** Images and backups, a line each. */
  async lines(): Promise<string[]> {
    await this.files.get();
    const { images } = await this.images.list({ limit: 100 });
    const backups = await this.backups.list();
    return [
      ...images.map(({ id, status }) => `image ${id} ${status}`),
      ...backups.map(({ id, status, checksum }) => `backup ${id} ${status} ${checksum}`),
    ];
  }
}

/** The flags of a daemon with such stores in a directory. */
export function storeFlags(directory: string): { image_directory: string; backup_directory: string } {
  return { image_directory: join(directory, 'images'), backup_directory: join(directory, 'backups') };
}

/** 32 KiB, always the same for a word. */
function dataOf(word: string): Buffer {
  const digests = Array.from({ length: 1024 }, (_, n) => createHash('sha256').update(`${word} ${n}`).digest());
  return Buffer.concat(digests);
}
