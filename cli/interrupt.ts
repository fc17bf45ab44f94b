import { errors } from '../lib/errors.ts';
import { interruptedCode } from './exit-codes.ts';
import type { Output } from './output.ts';

/** While something is waited for, Ctrl-C ends the waiting alone, and says how to wait for it again. */
export class Interrupts {
  private readonly output: Output;
  private readonly underway = new Map<string, string>();

  constructor(output: Output) {
    this.output = output;
  }

  async during<T>(operation: string, volume: string, work: () => Promise<T>): Promise<T> {
    if (this.underway.size === 0) process.once('SIGINT', this.interrupted);
    this.underway.set(volume, operation);
    try {
      return await work();
    } finally {
      this.underway.delete(volume);
      if (this.underway.size === 0) process.off('SIGINT', this.interrupted);
    }
  }

  private readonly interrupted = () => {
    if (this.output.isWatched) process.stderr.write('\n');
    for (const [volume, operation] of this.underway) this.output.error(errors.interrupted(operation, volume));
    process.exit(interruptedCode);
  };
}
