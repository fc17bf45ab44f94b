import { existsSync } from 'node:fs';
import { CommandError } from '../command-error.ts';
import { errors } from '../errors.ts';
import type { Processes } from '../process.ts';

export interface KernelModules {
  names: readonly string[];
  /** Default: /sys. */
  system?: string;
  /** What to do where the kernel lacks them. */
  hint: string;
}

/** Loads modules that are neither loaded nor part of the kernel. `name` is the volume in errors. Throws ConnectorFailed, CommandNotFound. */
export async function loadModules(
  processes: Processes,
  name: string,
  { names, system = '/sys', hint }: KernelModules,
): Promise<void> {
  const missing = names.filter((module) => !existsSync(`${system}/module/${module}`));
  if (missing.length === 0) return;
  try {
    await processes.run('modprobe', ['--all', ...missing], { asRoot: true });
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    if (error.failure.notFound) throw errors.commandMissing('modprobe', 'kmod');
    const stderr = error.failure.stderr.trim();
    if (stderr.includes('sudo:')) throw notRoot(name);
    const modules = `the kernel module${missing.length > 1 ? 's' : ''} ${missing.join(' and ')}`;
    throw errors.connectorFailed(name, `${modules} cannot be loaded: ${stderr || error.message}`, hint);
  }
}

export function notRoot(name: string): Error {
  return errors.connectorFailed(name, 'only root may connect devices', 'run this as root');
}
