import path from 'node:path';
import { z } from 'zod';
import { until } from '../../support/until.ts';
import type { LabNode } from '../node.ts';

const program = path.join(import.meta.dirname, 'writer-process.ts');

const stateSchema = z.object({
  writes: z.number(),
  verified: z.number(),
  blockBytes: z.number(),
  longestMs: z.number(),
  ended: z.boolean().optional(),
  error: z.string().optional(),
});

/** How far a writer is: blocks written, blocks read back, the longest time that one of them took. */
export type WriterState = z.infer<typeof stateSchema>;

/** Somebody on a host who writes to a volume all the time and knows what must be on it. */
export class CheckedWriter {
  readonly device: string;
  private readonly node: LabNode;
  private readonly file: string;

  static async start(node: LabNode, device: string, bytes: number): Promise<CheckedWriter> {
    const name = `checked-writer${device.replaceAll('/', '-')}`;
    const file = `/run/lab/${name}`;
    await node.start(name, `exec node ${program} ${device} ${bytes} ${file}`);
    const writer = new CheckedWriter(node, device, file);
    await writer.goesOn();
    return writer;
  }

  private constructor(node: LabNode, device: string, file: string) {
    this.node = node;
    this.device = device;
    this.file = file;
  }

  async state(): Promise<WriterState> {
    return stateSchema.parse(JSON.parse(await this.node.readFile(`${this.file}.json`)));
  }

  /** Resolves when more was written, or when it has said of an error. */
  async goesOn(timeoutMs = 180_000): Promise<void> {
    const before = await this.state().catch(() => undefined);
    await until(
      async () => {
        const { writes, error } = await this.state();
        return error !== undefined || writes > (before?.writes ?? 0);
      },
      `the writer to ${this.device} goes on`,
      timeoutMs,
    );
  }

  /** Ends it; the answer has an error, or every block is as it was last acknowledged. */
  async end(timeoutMs = 120_000): Promise<WriterState> {
    await this.node.sh(`touch ${this.file}.stop`);
    return until(
      async () => {
        const state = await this.state();
        return (state.ended === true || state.error !== undefined) && state;
      },
      `the writer to ${this.device} ends`,
      timeoutMs,
    );
  }
}
