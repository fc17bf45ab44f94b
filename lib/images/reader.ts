import { chown, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { CommandError } from '../command-error.ts';
import { QemuServer, qemuOptions } from '../devices/qemu-server.ts';
import { asError, errors } from '../errors.ts';
import { statIfExists } from '../files.ts';
import type { Processes } from '../process.ts';
import type { ImageFormat } from './formats/names.ts';

/** As QEMU names its drivers. */
const qemuFormats: Record<ImageFormat, string> = { raw: 'raw', qcow2: 'qcow2', vmdk: 'vmdk', vdi: 'vdi', vhd: 'vpc' };
/** Of the process that reads an image; tables of 32 MiB and their caches need a tenth of it. */
const memoryBytes = 2 ** 30;
/** No account has it: an image that takes its reader over reaches no file of anybody. */
const unprivileged = 65_520;
/** Runs a command whose standard input is a file. */
const withInput = 'image=$1; shift; exec "$@" <"$image"';

/** Access to an image as raw data, by a server that has neither rights of root nor much memory. */
export interface ImageReader {
  /** Of the raw data. */
  readonly sizeBytes: number;
  /** For `--image-opts` of QEMU's tools. */
  readonly source: string;
  /** What the server has said, for an error. */
  said(): string;
  close(): Promise<void>;
}

export interface ImageFile {
  /** Of the image, for errors. */
  name: string;
  path: string;
  format: ImageFormat;
}

/**
 * Starts a server of the raw data of an image whose header inspectImage() has examined. That server alone interprets the image: where
 * this process is root, as a user without an account, which may read the image through its group. Throws ImageRefused where it cannot
 * read the image, CommandNotFound, or the signal's reason.
 */
export async function openImage(processes: Processes, image: ImageFile, signal?: AbortSignal): Promise<ImageReader> {
  const isRoot = process.getuid?.() === 0;
  const directory = await mkdtemp(join(tmpdir(), 'blockstore-image-'));
  const socket = join(directory, 'nbd');
  if (isRoot) {
    await chown(directory, unprivileged, unprivileged);
    await chown(image.path, 0, unprivileged);
  }
  const args = ['-c', withInput, 'sh', image.path, ...serverOf(image.format, socket, isRoot)];
  const server = new QemuServer(processes, 'sh', args);
  const said = () => server.said();
  const close = async () => {
    await server.end();
    await rm(directory, { recursive: true, force: true });
  };
  try {
    const isReady = async () => (await statIfExists(socket)) !== undefined;
    if (!(await server.becomes(isReady, signal))) {
      throw errors.imageRefused(image.name, said() || 'QEMU does not read it');
    }
    const nbd = {
      'file.driver': 'nbd',
      'file.open-timeout': '30',
      'file.server.type': 'unix',
      'file.server.path': socket,
    };
    const source = qemuOptions({ driver: 'raw', ...nbd });
    const ended = new AbortController();
    void server.ended.then(() => ended.abort());
    return {
      sizeBytes: await sizeOf(processes, image.name, source, { said, signal: ended.signal }),
      source,
      said,
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The image is its standard input: opened by its path it would need rights on every directory above. */
function serverOf(format: ImageFormat, socket: string, isRoot: boolean): string[] {
  const rights = isRoot
    ? [`--reuid=${unprivileged}`, `--regid=${unprivileged}`, '--clear-groups', '--bounding-set=-all', '--inh-caps=-all']
    : [];
  const limits = [`--as=${memoryBytes}`, '--core=0', '--fsize=0', '--nproc=64'];
  const file = `driver=${qemuFormats[format]},file.driver=file,file.filename=/proc/self/fd/0`;
  const restrictions = ['setpriv', '--pdeathsig=SIGKILL', '--no-new-privs', ...rights, 'prlimit', ...limits];
  const access = ['--read-only', '--persistent', '--shared=4', `--socket=${socket}`];
  return [...restrictions, 'qemu-nbd', ...access, '--image-opts', file];
}

const infoSchema = z.object({ 'virtual-size': z.number().int().positive() });

async function sizeOf(
  processes: Processes,
  name: string,
  source: string,
  { said, signal }: { said: () => string; signal: AbortSignal },
): Promise<number> {
  try {
    const { stdout } = await processes.run('qemu-img', ['info', '--output=json', '--image-opts', source], { signal });
    return infoSchema.parse(JSON.parse(stdout))['virtual-size'];
  } catch (error) {
    if (error instanceof CommandError && error.failure.notFound) throw errors.commandMissing('qemu-img', 'qemu-utils');
    throw errors.imageRefused(name, said() || asError(error).message);
  }
}
