import { type Finding, ok } from '../../check.ts';
import type { SanShell } from '../../san/shell.ts';
import { SolarisCommands } from '../../san/solaris/commands.ts';
import { readInventory } from './inventory.ts';

/** Lists what COMSTAR exports, as the daemon does. Throws SanCommandFailed, for example where its service is not enabled. */
export async function checkComstar(shell: SanShell, base: string): Promise<Finding> {
  try {
    const { targets } = await readInventory(new SolarisCommands(shell), base);
    return ok(`COMSTAR at ${shell.where} answers: ${targets.size} iSCSI targets`);
  } finally {
    await shell.close();
  }
}
