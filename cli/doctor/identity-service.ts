import { type Finding, bad, ok, warn } from '../../lib/check.ts';
import {
  IdentityService,
  type KeystoneFlags,
  describeFailure,
  keystoneWarnings,
} from '../../lib/keystone/identity-service.ts';

/** Whether the identity service lets this node validate tokens. Throws InvalidFlags. */
export async function checkIdentityService(flags: KeystoneFlags): Promise<readonly Finding[]> {
  const service = IdentityService.from(flags);
  const warnings = keystoneWarnings(flags).map(({ message, hint }) => warn(message, hint));
  try {
    await service.check();
    return [...warnings, ok(`identity service ${service.url}: ${flags.keystone_user} can validate tokens`)];
  } catch (error) {
    const hint = 'check the flags that begin with keystone_, and that this host reaches the service';
    return [...warnings, bad(`the identity service ${service.url} cannot be used: ${describeFailure(error)}`, hint)];
  } finally {
    service.close();
  }
}
