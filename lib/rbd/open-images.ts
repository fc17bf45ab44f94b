import { randomUUID } from 'node:crypto';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { CommandError } from '../command-error.ts';
import { QemuServer, qemuOptions } from '../devices/qemu-server.ts';
import { type BlockstoreError, asError, errors } from '../errors.ts';
import { absentAs, removeFile, statIfExists } from '../files.ts';
import type { Log } from '../log.ts';
import type { Processes } from '../process.ts';
import type { Access, OpenData, OpenOptions } from '../drivers/open-data.ts';
import type { Cluster } from './failures.ts';

interface OpenImagesOptions extends Cluster {
  /** Of this driver alone; the files of open images are there. */
  directory: string;
  processes: Processes;
  log: Log;
}

/** An image, or a snapshot of it. */
export interface ImageData {
  image: string;
  snapshot?: string;
}

/**
 * Images as files of this node, each served by a qemu-storage-daemon through FUSE: so the tools that copy the data of other volumes copy
 * theirs. It needs neither the kernel's rbd nor a block device.
 */
export class OpenImages {
  private readonly options: OpenImagesOptions;
  private readonly open = new Set<string>();

  constructor(options: OpenImagesOptions) {
    this.options = options;
  }

  /** Throws RbdFailed, CommandNotFound, or the signal's reason. */
  async add(data: ImageData, { access, signal }: OpenOptions): Promise<OpenData> {
    const { directory, processes } = this.options;
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const path = join(directory, randomUUID());
    this.open.add(path);
    await writeFile(path, '', { mode: 0o600, flag: 'wx' });
    const server = new QemuServer(processes, 'setpriv', this.serverOf(data, access, path));
    const close = async () => {
      await server.end();
      await this.discard(path);
      this.open.delete(path);
    };
    try {
      if (await server.becomes(async () => (await stat(path)).size > 0, signal)) return { path, close };
      throw failure(server.said());
    } catch (error) {
      await close();
      throw error;
    }
  }

  /** Removes what an earlier daemon left. */
  async clear(): Promise<void> {
    const { directory } = this.options;
    for (const name of await absentAs([], readdir(directory))) {
      const path = join(directory, name);
      if (!this.open.has(path)) await this.discard(path);
    }
  }

  /** A server that was killed leaves a file that nobody can open. */
  private async discard(path: string): Promise<void> {
    const { processes, log } = this.options;
    try {
      await removeFile(path);
    } catch {
      const [command, args] = process.getuid?.() === 0 ? ['umount', ['-l', path]] : ['fusermount3', ['-uz', path]];
      try {
        await processes.run(command, args);
        await removeFile(path);
      } catch (error) {
        log.warn(`${path} cannot be removed: ${asError(error).message}`);
      }
    }
  }

  private serverOf({ image, snapshot }: ImageData, access: Access, path: string): string[] {
    const { pool, user, conf } = this.options;
    const isWritten = access === 'write';
    const source = { driver: 'rbd', 'node-name': 'data', pool, image, conf, user };
    const zeros = isWritten ? { discard: 'unmap', 'detect-zeroes': 'unmap' } : { 'read-only': 'on' };
    const blockdev = qemuOptions({ ...source, ...(snapshot === undefined ? {} : { snapshot }), ...zeros });
    const fuse = { type: 'fuse', id: 'data', 'node-name': 'data', mountpoint: path, 'allow-other': 'off' };
    const file = qemuOptions({ ...fuse, writable: isWritten ? 'on' : 'off' });
    return ['--pdeathsig=SIGTERM', 'qemu-storage-daemon', '--blockdev', blockdev, '--export', file];
  }
}

/** Throws what keeps images from being opened on this machine: CommandNotFound, RbdFailed. Opens none. */
export async function checkOpening(processes: Processes, { pool, user, conf }: Cluster): Promise<void> {
  const absent = qemuOptions({ driver: 'rbd', 'node-name': 'data', pool, image: 'blockstore-none', conf, user });
  try {
    await processes.run('qemu-storage-daemon', ['--blockdev', absent]);
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.notFound) throw qemuMissing();
    const said = error.failure.stderr.trim();
    if (!/error reading header from blockstore-none: No such file/.test(said)) throw failure(said);
  }
  if ((await statIfExists('/dev/fuse')) === undefined)
    throw errors.rbdFailed('qemu-storage-daemon', 'there is no /dev/fuse');
  if (process.getuid?.() !== 0) {
    await processes.run('fusermount3', ['--version']).catch(() => {
      throw errors.commandMissing('fusermount3', 'fuse3');
    });
  }
}

function qemuMissing(): BlockstoreError {
  return errors.commandMissing('qemu-storage-daemon', 'qemu-system-common');
}

function failure(said: string): BlockstoreError {
  if (/failed to execute/.test(said)) return qemuMissing();
  if (/Unknown driver '?rbd|does not accept value 'rbd'|block-rbd/.test(said)) {
    return errors.commandMissing('qemu-storage-daemon with its driver rbd', 'qemu-block-extra');
  }
  return errors.rbdFailed('qemu-storage-daemon', said || 'it does not serve the image');
}
