import { Changes } from '../../../lib/san/changes.ts';
import type { SanAnswer, SanRunOptions, SanShell } from '../../../lib/san/shell.ts';

/** Commands of storage without SSH, on a stand-in in this process. */
export class DirectShell implements SanShell {
  readonly where = 'stand-in';
  readonly failure = undefined;
  readonly changes = new Changes();
  readonly commands: (readonly string[])[] = [];
  /** What becomes of an answer on its way. */
  alter: (words: readonly string[], answer: SanAnswer) => SanAnswer = (_words, answer) => answer;
  private readonly device: { words(words: readonly string[], input?: string): SanAnswer };

  constructor(device: { words(words: readonly string[], input?: string): SanAnswer }) {
    this.device = device;
  }

  async run(words: readonly string[], { input }: SanRunOptions = {}): Promise<SanAnswer> {
    this.commands.push(words);
    // As over a network: other commands run meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
    return this.alter(words, this.device.words(words, input));
  }

  async close(): Promise<void> {}
}
