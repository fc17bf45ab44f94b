import type { DriverContext } from '../../lib/drivers/driver.ts';
import { driverOf } from '../../lib/drivers/registry.ts';
import type { Flags } from '../../lib/flags/definitions.ts';
import { targetOf } from '../../lib/targets/registry.ts';
import type { Backend } from '../node/backend.ts';

/** The backend that flags describe, named after its driver. Nothing is started or touched yet. */
export async function makeBackend(flags: Flags, context: DriverContext): Promise<Backend> {
  const [driver, target] = await Promise.all([
    driverOf(flags).make(flags, context),
    targetOf(flags).make(flags, context),
  ]);
  return { name: driver.name, driver, target };
}
