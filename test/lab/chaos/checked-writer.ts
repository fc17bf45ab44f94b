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

/** Progress of a writer: blocks written, blocks read back, the longest time of one block. */
export type WriterState = z.infer<typeof stateSchema>;

/** A process on a host that writes to a volume continuously and knows its expected contents. */
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

  /** Resolves when more has been written, or on an error. */
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

  /** Ends the writer; returns an error unless every block has its last acknowledged contents. */
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
