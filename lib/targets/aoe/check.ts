import { type Finding, ok, warn } from '../../check.ts';
import type { Processes } from '../../process.ts';
import { asError } from '../../errors.ts';
import { Tc } from './filter/tc.ts';
import { checkInterface } from './interface.ts';
import { needsSudo } from './sudo.ts';

/** Throws InterfaceDown. */
export function checkCarrier(name: string): Finding {
  const error = checkInterface(name);
  return error ? warn(error.message, error.hint ?? '') : ok(`network interface ${name} is up`);
}

/** Checks that vblade is installed and can open raw sockets. Throws CommandNotFound, NoRawSocket. */
export async function checkVblade(name: string, processes: Processes): Promise<Finding> {
  const bySudo = await needsSudo(name, processes);
  return ok(bySudo ? 'vblade may open raw sockets by sudo' : 'vblade may open raw sockets');
}

/** Checks without changes whether access to exports can be restricted. Throws NoAccessFilter and CommandNotFound if it must be. */
export async function checkAccessFilter(name: string, unfiltered: boolean, processes: Processes): Promise<Finding> {
  const tc = new Tc(processes, name);
  try {
    await tc.filters([]);
    return ok(`access to exports on ${name} can be restricted (tc)`);
  } catch (thrown) {
    const error = asError(thrown);
    if (!unfiltered) throw error;
    return warn(error.message, error.hint ?? '');
  } finally {
    await tc.close();
  }
}
