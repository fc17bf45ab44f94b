import { writeFile } from 'node:fs/promises';
import { type Socket, connect } from 'node:net';
import { join } from 'node:path';
import { pollUntil } from '../../lib/concurrency.ts';
import { guestDefinition, makeInitramfs } from './guest-image.ts';
import type { Libvirtd } from './libvirtd.ts';
import { until } from './until.ts';

/** A Linux guest of libvirt without hardware acceleration: Debian's kernel and a shell of busybox. It starts in about ten seconds. */
export class Guest {
  private readonly socket: Socket;
  private received = '';

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.setEncoding('utf8').on('data', (text) => {
      this.received += text;
    });
    socket.on('error', () => {});
  }

  /** Defines and starts the guest. */
  static async start(libvirtd: Libvirtd, name = 'guest'): Promise<Guest> {
    const { directory } = libvirtd;
    const initramfs = await makeInitramfs(directory);
    const console = join(directory, `${name}.console`);
    const definition = join(directory, `${name}.xml`);
    await writeFile(definition, guestDefinition(name, initramfs, console));
    await libvirtd.virsh('define', definition);
    await libvirtd.virsh('start', name);
    const guest = new Guest(connect(console));
    await until(() => guest.isReady(), 'the guest answers', 240_000);
    return guest;
  }

  /** Returns the output of a line of shell. Throws an error with it when it fails. */
  async sh(line: string): Promise<string> {
    this.received = '';
    this.socket.write(`${line}\n`);
    const last = /(?:^|\n)exit=(\d+)\r?\n$/;
    await until(() => last.test(this.received), `the guest has run: ${line}`, 120_000);
    const output = this.received.replaceAll('\r', '').replace(last, '').trimEnd();
    if (last.exec(this.received)?.[1] !== '0') throw new Error(`in the guest: ${line}: ${output}`);
    return output;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Asks again: what is sent before the guest listens is lost. */
  private async isReady(): Promise<boolean> {
    this.received = '';
    this.socket.write('echo it "is" up\n');
    const isUp = async () => /it is up\r?\nexit=0/.test(this.received);
    return (await pollUntil(isUp, { deadlineMs: 1000, intervalMs: 100 })) === true;
  }
}
