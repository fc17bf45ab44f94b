import { open, readdir, statfs } from 'node:fs/promises';
import path from 'node:path';
import { fileUsers } from '../../devices/file-users.ts';
import { asError, errors } from '../../errors.ts';
import { errorCode, statIfExists, syncDirectory } from '../../files.ts';
import {
  type CreateOptions,
  type CreatedVolume,
  type DriverStats,
  type FoundVolume,
  type VolumeDriver,
  type VolumeSpec,
  noCapabilities,
} from '../driver.ts';
import { KnownPool } from './known-pool.ts';
import { labelFile, withLabels, writeLabels } from './labels.ts';
import { obstacleTo, removing } from './obstacles.ts';
import { PoolLock, type PoolLockOptions } from './pool-lock.ts';
import { makePool, notWritable } from './pool.ts';

export interface FileOptions {
  directory: string;
  /** Maximum total size of all volumes; default: the space of the file system. */
  poolBytes?: number;
  /** Keeps the UUIDs of this node's pools, by which a start recognises its own; default: none is kept. */
  knownPools?: string;
  /** Locks the pool for this node alone; default: it is not locked. */
  lock?: PoolLockOptions;
}

const capacityKeptMs = 1000;

/** Stores volumes as sparse files `volume-<id>` in one directory; requires neither root nor a device. */
export class FileDriver implements VolumeDriver {
  readonly name = 'file';
  readonly capabilities = noCapabilities;
  readonly pool: string;
  private readonly directory: string;
  private readonly known: KnownPool;
  private readonly lock: PoolLock;
  private readonly poolBytes: number;
  /** Size of each volume, reserved before its file exists, so that concurrent creates do not use the same space. */
  private readonly promised = new Map<string, number>();
  private measured: { at: number; bytes: Promise<number> } | undefined;

  constructor(options: FileOptions) {
    this.directory = options.directory;
    this.pool = options.directory;
    this.known = new KnownPool(options.directory, options.knownPools);
    this.lock = new PoolLock(options.directory, options.lock);
    this.poolBytes = options.poolBytes ?? Number.POSITIVE_INFINITY;
  }

  async setup(): Promise<void> {
    await makePool(this.directory);
    await this.known.open();
    await this.lock.take();
    for (const { id, sizeBytes } of await this.files()) this.promised.set(id, sizeBytes);
  }

  async createVolume(volume: VolumeSpec, { accept }: CreateOptions = {}): Promise<CreatedVolume> {
    await this.known.check();
    const problem = await notWritable(this.directory);
    if (problem) throw problem;
    const totalBytes = await this.capacity();
    const isNew = !(await this.isThere(volume));
    if (!isNew && accept) accept((await withLabels(this.directory, volume.id, volume.sizeBytes)).labels);
    const isPromised = this.promised.has(volume.id);
    if (!isPromised) {
      const freeBytes = totalBytes - this.promisedBytes();
      if (volume.sizeBytes > freeBytes) throw errors.noSpace(this.directory, volume.sizeBytes, Math.max(0, freeBytes));
      this.promised.set(volume.id, volume.sizeBytes);
    }
    try {
      // Labels first: a file with data always has them.
      await writeLabels(this.directory, volume);
      await this.makeFile(volume);
    } catch (error) {
      if (!isPromised) this.promised.delete(volume.id);
      // Free bytes say nothing of inodes, quotas and the largest size of a file.
      if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errorCode(error) ?? '')) {
        throw errors.poolFull(this.directory, asError(error).message);
      }
      throw error;
    }
    return { fields: {}, isNew };
  }

  async hasVolume(volume: VolumeSpec): Promise<boolean> {
    const found = await statIfExists(this.localPath(volume));
    return found !== undefined && found.size >= volume.sizeBytes;
  }

  async ensureVolume(volume: VolumeSpec): Promise<void> {
    const found = await statIfExists(this.localPath(volume));
    if (found !== undefined) return;
    await this.known.check();
    throw errors.storageMissing(volume.id, this.localPath(volume));
  }

  async labelVolume(volume: VolumeSpec): Promise<void> {
    await this.ensureVolume(volume);
    await writeLabels(this.directory, volume);
  }

  /** Needs no wipe: a file system never exposes old data. Labels are removed first, so that a remaining file is recognised. */
  async deleteVolume(volume: VolumeSpec): Promise<void> {
    await this.known.check();
    const users = await fileUsers(this.localPath(volume));
    if (users.length > 0) throw errors.volumeBusy(volume.id, users.join(', '));
    const obstacle = await obstacleTo(this.localPath(volume));
    if (obstacle !== undefined) throw errors.volumeBusy(volume.id, obstacle);
    for (const file of [labelFile(this.directory, volume.id), this.localPath(volume)]) await removing(volume.id, file);
    await syncDirectory(this.directory);
    this.promised.delete(volume.id);
  }

  localPath(volume: VolumeSpec): string {
    return path.join(this.directory, `volume-${volume.id}`);
  }

  async listVolumes(): Promise<FoundVolume[]> {
    await this.known.check();
    const files = await this.files();
    return Promise.all(files.map(({ id, sizeBytes }) => withLabels(this.directory, id, sizeBytes)));
  }

  async stats(): Promise<DriverStats> {
    await this.known.check();
    const totalBytes = await this.capacity();
    const volumeBytes = this.promisedBytes();
    const figures = { totalBytes, freeBytes: Math.max(0, totalBytes - volumeBytes), volumeBytes };
    const problem = await notWritable(this.directory);
    return problem
      ? { ...figures, acceptsCreates: false, problem: problem.message }
      : { ...figures, acceptsCreates: true };
  }

  async close(): Promise<void> {
    await this.lock.release();
  }

  /** Throws VolumeExists for a file that somebody else has put there. */
  private async isThere(volume: VolumeSpec): Promise<boolean> {
    const file = this.localPath(volume);
    if ((await statIfExists(file)) === undefined) return false;
    const labels = await statIfExists(labelFile(this.directory, volume.id));
    if (labels === undefined) throw errors.notLabelled(volume.id, file, `mv ${file} ${file}.other`);
    return true;
  }

  private async makeFile(volume: VolumeSpec): Promise<void> {
    const file = await open(this.localPath(volume), 'a', 0o600);
    try {
      const { size } = await file.stat();
      if (size < volume.sizeBytes) await file.truncate(volume.sizeBytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await syncDirectory(this.directory);
  }

  private promisedBytes(): number {
    return [...this.promised.values()].reduce((sum, bytes) => sum + bytes, 0);
  }

  /** Space for volumes including the existing ones, whose blocks already count as used. */
  private capacity(): Promise<number> {
    const now = performance.now();
    if (this.measured === undefined || now - this.measured.at > capacityKeptMs) {
      this.measured = { at: now, bytes: this.measure() };
    }
    return this.measured.bytes;
  }

  private async measure(): Promise<number> {
    const { bavail, bsize } = await statfs(this.directory);
    const filled = (await this.files()).reduce((sum, { filledBytes }) => sum + filledBytes, 0);
    return Math.min(this.poolBytes, bavail * bsize + filled);
  }

  private async files(): Promise<{ id: string; sizeBytes: number; filledBytes: number }[]> {
    const names = (await readdir(this.directory)).filter((name) => /^volume-[0-9a-f-]{36}$/.test(name));
    const found = await Promise.all(
      names.map(async (name) => {
        const file = await statIfExists(path.join(this.directory, name));
        return file && { id: name.slice('volume-'.length), sizeBytes: file.size, filledBytes: file.blocks * 512 };
      }),
    );
    return found.filter((file) => file !== undefined);
  }
}
