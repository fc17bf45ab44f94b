import type { DriverContext } from '../../lib/drivers/driver.ts';
import { driverOf } from '../../lib/drivers/registry.ts';
import type { BackendFlags } from '../../lib/flags/backends.ts';
import type { LoadedFlags } from '../../lib/flags/load.ts';
import { targetOf } from '../../lib/targets/registry.ts';
import type { Backend } from '../node/backends.ts';

/** The backends that flags describe. Nothing is started or touched yet. */
export async function makeBackends(
  [first, ...others]: LoadedFlags['backends'],
  context: DriverContext,
): Promise<[Backend, ...Backend[]]> {
  return [await makeBackend(first, context), ...(await Promise.all(others.map((one) => makeBackend(one, context))))];
}

async function makeBackend({ name, flags }: BackendFlags, node: DriverContext): Promise<Backend> {
  const context = { ...node, backend: name };
  const [driver, target] = await Promise.all([
    driverOf(flags).make(flags, context),
    targetOf(flags).make(flags, context),
  ]);
  return { name, driver, target };
}
