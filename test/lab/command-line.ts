import { z } from 'zod';
import type { LabNode } from './node.ts';

const errorSchema = z.object({ error: z.object({ code: z.string(), message: z.string() }) });
const volumeSchema = z.looseObject({
  id: z.string(),
  address: z.string(),
  /** Undefined also of a volume that a guest reaches without the host. */
  device: z
    .string()
    .nullish()
    .transform((device) => device ?? undefined),
});

/** Fields of a volume in the output of `blockstore --json` that tests check. */
export type PrintedVolume = z.infer<typeof volumeSchema>;

/** Result of a command. */
export interface CommandEnd {
  exitCode: number;
  /** Its standard output. */
  output: string;
  /** The codes of its errors, and their messages. */
  codes: string[];
  messages: string[];
}

const separator = '\n--- errors ---\n';

/** The real `blockstore` on a node of a lab. */
export class CommandLine {
  private readonly node: LabNode;
  private readonly setting: string;

  /** `configFile` is a file of the node. */
  constructor(node: LabNode, configFile: string) {
    this.node = node;
    this.setting = `BLOCKSTORE_CONFIG=${configFile}`;
  }

  async run(command: string): Promise<CommandEnd> {
    const { status, output } = await this.node.run(
      `said=$(mktemp)
${this.setting} blockstore --json ${command} 2>$said; status=$?
printf '${separator.replaceAll('\n', String.raw`\n`)}'; cat $said; rm $said; exit $status`,
      { timeoutMs: 300_000 },
    );
    const [printed = '', said = ''] = output.split(separator);
    const lines = said.split('\n').filter((line) => line.startsWith('{'));
    const errors = lines.map((line) => errorSchema.parse(JSON.parse(line)).error);
    return {
      exitCode: status,
      output: printed,
      codes: errors.map(({ code }) => code),
      messages: errors.map(({ message }) => message),
    };
  }

  /** Kills the process of the command after so many seconds, its children not. Returns whether it was running then. */
  async killedAfter(seconds: number, command: string): Promise<boolean> {
    const limit = `timeout --foreground -s KILL ${seconds.toFixed(3)}`;
    const killedStatus = 137;
    return (await this.node.run(`${this.setting} ${limit} blockstore ${command}`)).status === killedStatus;
  }

  /** Returns the output of a command that must succeed. */
  async output(command: string): Promise<string> {
    const end = await this.run(command);
    if (end.exitCode !== 0) throw new Error(`blockstore ${command} on ${this.node.name}: ${JSON.stringify(end)}`);
    return end.output;
  }

  /** `blockstore volume …` that prints one volume. */
  async volume(command: string): Promise<PrintedVolume> {
    return volumeSchema.parse(JSON.parse(await this.output(`volume ${command}`)));
  }
}
