import { type BlockstoreError, errors } from '../../errors.ts';
import type { ExportSpec, TargetProblem } from '../target.ts';
import { parseArguments } from './arguments.ts';
import type { LocalVblades } from './local-vblades.ts';
import { type Vblade, isRunning } from './vblade-process.ts';

/**
 * Vblades of this machine that export the storage of an export as well, on whatever interface and at whatever address, and that no
 * supervisor has: started by hand, or left from another aoe_eth_dev. Their hosts write beside those of the export.
 */
export class VbladesBeside {
  private readonly local: LocalVblades;
  private readonly isOurs: (id: string, vblade: Vblade) => Promise<boolean>;
  /** By the volume's id. */
  private found: ReadonlyMap<string, Vblade> = new Map();

  constructor(local: LocalVblades, isOurs: (id: string, vblade: Vblade) => Promise<boolean>) {
    this.local = local;
    this.isOurs = isOurs;
  }

  /** Throws AddressInUse where there is one. */
  async refuse(spec: ExportSpec): Promise<void> {
    const other = (await this.look([spec])).get(spec.id);
    if (other) throw servedBeside(spec.id, other);
  }

  /** Looks for those of all exports, for problems(). */
  async find(specs: readonly ExportSpec[]): Promise<void> {
    this.found = await this.look(specs);
  }

  problems(): TargetProblem[] {
    const running = [...this.found].filter(([, vblade]) => isRunning(vblade));
    return running.map(([id, vblade]) => ({ id, error: servedBeside(id, vblade) }));
  }

  private async look(specs: readonly ExportSpec[]): Promise<Map<string, Vblade>> {
    const byPath = await this.local.exporting(specs.map(({ path }) => path));
    const others = new Map<string, Vblade>();
    for (const { id, path } of specs) {
      for (const vblade of byPath.get(path) ?? []) if (!(await this.isOurs(id, vblade))) others.set(id, vblade);
    }
    return others;
  }
}

function servedBeside(id: string, { pid, args }: Vblade): BlockstoreError {
  return errors.servedBeside(id, { pid, address: parseArguments(args)?.address ?? '?', interface: args.at(-2) ?? '?' });
}
