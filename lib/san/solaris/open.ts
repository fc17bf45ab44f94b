import type { Processes } from '../../process.ts';
import { type SanFlags, openShell } from '../open-shell.ts';
import type { SanShell } from '../shell.ts';
import { solarisDialect } from './commands.ts';

/** Throws InvalidFlags. */
export function openSolaris(flags: SanFlags, processes: Processes, isCheck = false): SanShell {
  return openShell(flags, solarisDialect, processes, isCheck);
}
