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
    const now = performance.now();
    if (this.scan === undefined || now - this.time > maxAgeMs) {
      this.time = now;
      this.scan = findVblades();
    }
    const serves = ({ args }: Vblade) => args.at(-2) === networkInterface && parseArguments(args)?.address === address;
    return (await this.scan).filter((vblade) => serves(vblade) && isRunning(vblade));
  }
}
