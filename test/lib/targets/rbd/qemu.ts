import { existsSync, globSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { Hopeless, until } from '../../../support/until.ts';

/** Why QEMU cannot open images of Ceph here; undefined where it can. */
export const withoutQemu =
  existsSync('/usr/bin/qemu-storage-daemon') && globSync('/usr/lib/*/qemu/block-rbd.so').length > 0
    ? undefined
    : 'needs qemu-utils and qemu-block-extra';

interface CephUser {
  pool: string;
  user: string;
  conf: string;
}

interface Process {
  kill(signal: 'SIGKILL' | 'SIGTERM' | 'SIGSTOP' | 'SIGCONT'): void;
  /** With what it printed. */
  ended: Promise<string>;
}

/** A QEMU without a machine: it has images open as the disks of one guest, and writes what qemu-io asks it to. */
export class Qemu {
  private readonly directory: string;
  private readonly process: Process;

  private constructor(directory: string, process: Process) {
    this.directory = directory;
    this.process = process;
  }

  static async start({ pool, user, conf }: CephUser, images: readonly string[]): Promise<Qemu> {
    const directory = await mkdtemp('/tmp/qemu-');
    const disks = images.map((image, index) => [
      `--blockdev=driver=rbd,node-name=disk${index},pool=${pool},image=${image},user=${user},conf=${conf}`,
      `--export=nbd,id=export${index},node-name=disk${index},name=${image},writable=on`,
    ]);
    const args = [`--nbd-server=addr.type=unix,addr.path=${join(directory, 'nbd')}`, ...disks.flat()];
    const child = execa('qemu-storage-daemon', args, { reject: false, all: true });
    const ended = child.then(({ all }) => all);
    const qemu = new Qemu(directory, { kill: (signal) => void child.kill(signal), ended });
    const fails = ended.then((output) => Promise.reject(new Hopeless(`qemu-storage-daemon ended: ${output}`)));
    fails.catch(() => {}); // also at its end
    for (const image of images) {
      await Promise.race([fails, until(() => qemu.read(image), `QEMU has ${image} open`)]);
    }
    return qemu;
  }

  /** Writes the first MiB of the image. Returns whether that succeeded, or the reason. */
  async write(image: string, byte: number): Promise<true | string> {
    return this.run(image, `write -f -P ${byte} 0 1M`);
  }

  private async read(image: string): Promise<true> {
    const read = await this.run(image, 'read 0 1M');
    if (read !== true) throw new Error(read);
    return true;
  }

  pause(): void {
    this.process.kill('SIGSTOP');
  }

  resume(): void {
    this.process.kill('SIGCONT');
  }

  /** As the end of a guest: images are closed. */
  async quit(): Promise<void> {
    await this.end('SIGTERM');
  }

  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  private async end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
    this.process.kill(signal);
    await this.process.ended;
    await rm(this.directory, { recursive: true, force: true });
  }

  private async run(image: string, command: string): Promise<true | string> {
    const url = `nbd+unix:///${image}?socket=${join(this.directory, 'nbd')}`;
    const options = { reject: false, all: true, timeout: 60_000 } as const;
    const { all } = await execa('qemu-io', ['-f', 'raw', '-c', command, url], options);
    return / bytes at offset /.test(all) || all;
  }
}
