import type { Limits } from '../../models/limits.ts';
import type { Vblade } from './vblade-process.ts';

/** Runs the vblade of a volume independently of the daemon. */
export interface Supervisor {
  readonly name: 'systemd' | 'detached';
  /**
   * Ensures that exactly one vblade with these arguments runs for the volume, and replaces one with other arguments.
   * `limits` hold for what it reads and writes, where the supervisor can keep it to that. Resolves when it serves. Throws InterfaceDown, NoRawSocket, CommandNotFound, ExportFailed, ExportStays.
   */
  start(id: string, args: readonly string[], limits?: Limits): Promise<Vblade>;
  /** The vblade that runs for the volume has these limits from now on, in place of those that it had. Throws ExportFailed. */
  limit(id: string, limits?: Limits): Promise<void>;
  /** Returns the limits of the vblade that runs for the volume; undefined where it can have none. */
  limitsOf(id: string): Limits | undefined;
  /** Ends the vblade of the volume and removes its files. Throws ExportStays. */
  stop(id: string): Promise<void>;
  find(id: string): Promise<Vblade | undefined>;
  /** Returns the running vblades by volume id. */
  findAll(): Promise<Map<string, Vblade>>;
  /** Returns the arguments of the exports that it starts again without the daemon, by volume id, whether they run or not. */
  configured(): Promise<Map<string, readonly string[]>>;
  /** Ends helper processes; exports continue. */
  close(): Promise<void>;
}

/** Options of all supervisors. */
export interface SupervisorOptions {
  /** Directory of the files of exports, `<volume id>.*`. */
  directory: string;
  interface: string;
  /** Whether vblade needs sudo here. */
  asRoot: boolean;
  /** Attempts of a command that can fail transiently. */
  tries: number;
}
