import type { Processes } from '../../process.ts';
import { type SanFlags, openShell } from '../open-shell.ts';
import type { SanShell } from '../shell.ts';
import { cliqDialect } from './cliq.ts';

/** Throws InvalidFlags. */
export function openLefthand(flags: SanFlags, processes: Processes, isCheck = false): SanShell {
  return openShell(flags, cliqDialect, processes, isCheck);
}
