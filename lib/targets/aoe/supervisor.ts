import type { Vblade } from './running.ts';

/** Keeps the vblade of a volume running on its own, so that it outlives the daemon. */
export interface Supervisor {
  readonly name: 'systemd' | 'detached';
  /**
   * Exactly one vblade with these arguments runs for the volume; one that runs with others is replaced. Resolves when it
   * serves. Throws InterfaceDown, NoRawSocket, CommandNotFound, ExportFailed, ExportStays.
   */
  start(id: string, args: readonly string[]): Promise<Vblade>;
  /** None runs, and its files are gone. Throws ExportStays. */
  stop(id: string): Promise<void>;
  find(id: string): Promise<Vblade | undefined>;
  /** By volume id. */
  findAll(): Promise<Map<string, Vblade>>;
  /** Ends helper processes; exports go on. */
  close(): Promise<void>;
}

/** What supervisors have in common. */
export interface SupervisorOptions {
  /** Where the files of exports are, `<volume id>.*`. */
  directory: string;
  interface: string;
  /** Whether vblade needs sudo here. */
  asRoot: boolean;
  /** Attempts of a command whose failure may pass. */
  tries: number;
}
