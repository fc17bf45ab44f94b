import { Hopeless, until } from '../support/until.ts';
import type { LabDaemon } from './daemon.ts';
import type { LabNode } from './node.ts';

/**
 * Writes random blocks to the first 16 MiB of a device without a pause, past the page cache, and the same ones to a file in
 * memory. It ends at the first I/O error.
 */
const script = (device: string, directory: string) => `mkdir -p ${directory} && cd ${directory} || exit
for block in 0 1 2 3 4 5 6; do dd if=/dev/urandom of=block$block bs=64k count=1 2>/dev/null; done
dd if=${device} of=image bs=1M count=16 iflag=direct 2>/dev/null || exit
writes=0
while [ ! -e stop ]; do
  place=$((writes * 37 % 256))
  dd if=block$((writes % 7)) of=${device} bs=64k seek=$place oflag=direct conv=notrunc 2>said || { cat said; exit 1; }
  dd if=block$((writes % 7)) of=image bs=64k seek=$place conv=notrunc 2>/dev/null
  writes=$((writes + 1))
  echo $writes >written
done
echo ended`;

/** A process on a compute host that writes to a volume continuously. */
export class Writer {
  private readonly node: LabNode;
  private readonly device: string;
  private readonly directory: string;
  private readonly process: LabDaemon;

  static async start(node: LabNode, device: string): Promise<Writer> {
    const directory = `/run/lab/writer-${device.replaceAll('/', '-')}`;
    const process = await node.start(`writer${device.replaceAll('/', '-')}`, script(device, directory));
    const writer = new Writer(node, device, directory, process);
    await writer.goesOn();
    return writer;
  }

  private constructor(node: LabNode, device: string, directory: string, process: LabDaemon) {
    this.node = node;
    this.device = device;
    this.directory = directory;
    this.process = process;
  }

  /** Returns the number of blocks written so far. */
  async written(): Promise<number> {
    return Number((await this.node.run(`cat ${this.directory}/written 2>/dev/null || echo 0`)).output);
  }

  /** Resolves when more blocks have been written. Throws the writer's I/O error. */
  async goesOn(): Promise<void> {
    const before = await this.written();
    await until(async () => {
      if ((await this.written()) >= before + 5) return true;
      if (await this.process.running()) return false;
      throw new Hopeless(`the writer has ended: ${await this.process.log()}`);
    }, `the writer to ${this.device} goes on`);
  }

  /** Ends the writer and checks that the device, read without the page cache, has everything that was written. */
  async endsWell(): Promise<boolean> {
    await this.goesOn();
    await this.node.sh(`touch ${this.directory}/stop`);
    await this.process.ended();
    const log = await this.process.log();
    if (log !== 'ended\n') throw new Error(`the writer failed: ${log}`);
    const { status } = await this.node.run(`cd ${this.directory} &&
dd if=${this.device} of=read bs=1M count=16 iflag=direct 2>/dev/null && cmp read image`);
    return status === 0;
  }
}
