import { join } from 'node:path';
import { z } from 'zod';
import { readIfExists, replaceFile } from '../../files.ts';
import { readMachineId } from '../../machine.ts';
import { type InterfaceIdentity, isSameInterface } from './interface.ts';

const rememberedSchema = z.object({
  boot: z.string(),
  since: z.number(),
  index: z.string(),
  address: z.string(),
  mtu: z.string(),
});
type Remembered = z.infer<typeof rememberedSchema>;

/** The unit of the start time of a process: USER_HZ of proc_pid_stat(5). */
const ticksPerSecond = 100;

/**
 * Since when the interface of the exports is as it is, in a file, so that a daemon that starts knows which running exports began before
 * it changed.
 */
export class InterfaceMemory {
  private readonly file: string;

  constructor(stateDir: string) {
    this.file = join(stateDir, 'interface.json');
  }

  /**
   * Returns the start time, in clock ticks since boot, before which an export began with another interface; 0: with this one, or nobody
   * knows.
   */
  async since(identity: InterfaceIdentity): Promise<number> {
    const { boot } = await readMachineId();
    const last = await this.read();
    // Exports end with the boot that they began in.
    const isSameBoot = last?.boot === boot;
    if (last && isSameBoot && isSameInterface(last, identity)) return last.since;
    return this.write({ boot, since: last && isSameBoot ? await ticksSinceBoot() : 0, ...identity });
  }

  /** The interface has just become this one. */
  async note(identity: InterfaceIdentity): Promise<void> {
    const { boot } = await readMachineId();
    await this.write({ boot, since: await ticksSinceBoot(), ...identity });
  }

  /** What cannot be read counts as absent: it was cut short by a power loss, or edited. */
  private async read(): Promise<Remembered | undefined> {
    try {
      return rememberedSchema.safeParse(JSON.parse((await readIfExists(this.file)) ?? '')).data;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }

  private async write(remembered: Remembered): Promise<number> {
    await replaceFile(this.file, `${JSON.stringify(remembered)}\n`);
    return remembered.since;
  }
}

async function ticksSinceBoot(): Promise<number> {
  const [seconds] = ((await readIfExists('/proc/uptime')) ?? '').split(' ');
  return Math.floor(Number(seconds) * ticksPerSecond);
}
