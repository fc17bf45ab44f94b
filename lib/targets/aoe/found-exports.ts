import type { FoundExport } from '../target.ts';
import { parseArguments } from './arguments.ts';
import type { Supervisor } from './supervisor.ts';
import { type Vblade, findVblades } from './vblade-process.ts';

/** Returns the exports that run on this machine; those in `ours`, by volume id, with their ids and limits. */
export async function foundExports(
  ours: ReadonlyMap<string, Vblade>,
  supervisors: readonly Supervisor[],
): Promise<FoundExport[]> {
  const ids = new Map([...ours].map(([id, vblade]) => [vblade.pid, id]));
  return (await findVblades()).flatMap((vblade) => {
    const parsed = parseArguments(vblade.args);
    const id = ids.get(vblade.pid);
    if (!parsed || id === undefined) return parsed ?? [];
    const limits = supervisors.map((supervisor) => supervisor.limitsOf(id)).find((one) => one !== undefined);
    return [{ ...parsed, id, ...(limits ? { limits } : {}) }];
  });
}
