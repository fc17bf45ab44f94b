import { realpath } from 'node:fs/promises';
import { parseArguments } from './arguments.ts';
import { type Vblade, findVblades, isRunning } from './vblade-process.ts';

/** A scan of all processes takes about 50 μs for each: exports that start together share one. */
const maxAgeMs = 1000;

/** The vblades of this machine by interface and address. A packet socket does not receive the answers of another one on its interface. */
export class LocalVblades {
  private scan: Promise<Vblade[]> | undefined;
  private time = 0;

  /** Returns those that serve the address on the interface. One that began less than a second ago can be absent. */
  async at(address: string, networkInterface: string): Promise<Vblade[]> {
    const serves = ({ args }: Vblade) => args.at(-2) === networkInterface && parseArguments(args)?.address === address;
    return (await this.all()).filter((vblade) => serves(vblade) && isRunning(vblade));
  }

  /** Returns those that export one of these files or devices, by its path, on whatever interface and at whatever address. */
  async exporting(paths: Iterable<string>): Promise<Map<string, Vblade[]>> {
    const names = new Map<string, string>();
    for (const path of paths) names.set(await realOf(path), path);
    const found = new Map<string, Vblade[]>();
    for (const vblade of await this.all()) {
      const path = names.get(await realOf(vblade.args.at(-1) ?? ''));
      if (path !== undefined && isRunning(vblade)) found.set(path, [...(found.get(path) ?? []), vblade]);
    }
    return found;
  }

  private all(): Promise<Vblade[]> {
    const now = performance.now();
    if (this.scan === undefined || now - this.time > maxAgeMs) {
      this.time = now;
      this.scan = findVblades();
    }
    return this.scan;
  }
}

/** LVM gives a volume several names. */
async function realOf(path: string): Promise<string> {
  return realpath(path).catch(() => path); // removed, or relative to another directory
}
