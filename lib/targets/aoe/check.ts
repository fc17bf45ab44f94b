import { type Finding, ok, warn } from '../../check.ts';
import type { Processes } from '../../process.ts';
import { checkInterface } from './interface.ts';
import { needsSudo } from './rights.ts';

/** Throws InterfaceDown. */
export function checkCarrier(name: string): Finding {
  if (checkInterface(name) === 'running') return ok(`network interface ${name} is up`);
  return warn(`network interface ${name} is up but has no carrier`, 'check its cable and switch port');
}

/** Installed, and with the right to raw sockets. Throws CommandNotFound, NoRawSocket. */
export async function checkVblade(name: string, processes: Processes): Promise<Finding> {
  const bySudo = await needsSudo(name, processes);
  return ok(bySudo ? 'vblade may open raw sockets by sudo' : 'vblade may open raw sockets');
}
