import { open } from 'node:fs/promises';
import { execa } from 'execa';
import type { LabPlace } from './place.ts';

/** The disks of a node: sparse files of the host, which survive power losses. */
export class LabDisks {
  #place: LabPlace;
  #node: string;
  #files: string[] = [];

  constructor(place: LabPlace, node: string) {
    this.#place = place;
    this.#node = node;
  }

  /** Returns the device of the disk on the node. */
  async add(gib: number): Promise<string> {
    const file = this.#place.file(`${this.#node}-disk${this.#files.length + 1}.img`);
    const handle = await open(file, 'wx');
    await handle.truncate(gib * 2 ** 30);
    await handle.close();
    this.#files.push(file);
    return `/dev/${this.#device(this.#files.length - 1)}`;
  }

  kernelArguments(): string[] {
    return this.#files.map((file, index) => `${this.#device(index)}=${file}`);
  }

  /** Announces the newest disk to a running kernel through its management console, which uses unix datagrams, unlike Node. */
  async plugInLast(consoleSocket: string): Promise<void> {
    const text = Buffer.from(`config ${this.kernelArguments().at(-1)}`);
    const request = Buffer.alloc(12 + 512);
    request.writeUInt32LE(0xcafebabe, 0);
    request.writeUInt32LE(2, 4);
    request.writeUInt32LE(text.length, 8);
    text.copy(request, 12);
    const reply = this.#place.file(`${this.#node}-console`);
    const { stdout } = await execa('socat', ['-t2', '-', `UNIX-SENDTO:${consoleSocket},bind=${reply},unlink-close=1`], {
      input: request,
      encoding: 'buffer',
      timeout: 60_000,
    });
    const answer = Buffer.from(stdout);
    if (answer.length < 12 || answer.readUInt32LE(0) !== 0) {
      throw new Error(`${this.#node} does not take the disk: ${answer.subarray(12).toString()}`);
    }
  }

  #device(index: number): string {
    return `ubd${String.fromCharCode(97 + index)}`;
  }
}
