import { authStrategy } from '../../../lib/flags/api-flags.ts';
import type { Flags } from '../../../lib/flags/definitions.ts';
import { IdentityService, keystoneWarnings } from '../../../lib/keystone/identity-service.ts';
import type { Log } from '../../../lib/log.ts';
import type { Store } from '../../../lib/redis/store.ts';
import type { Authenticator } from './authenticator.ts';
import { KeystoneAuthentication } from './keystone.ts';
import { LocalAuthentication } from './local.ts';
import { NoAuthentication } from './noauth.ts';

/** For so long an invalid token is not asked about again. */
const invalidAgeMs = 5000;

/** Returns who finds out the callers of an API. Throws InvalidFlags. */
export function authenticatorFor({ flags, store, log }: { flags: Flags; store: Store; log: Log }): Authenticator {
  const strategy = authStrategy(flags);
  if (strategy === 'noauth') return new NoAuthentication();
  return strategy === 'local' ? new LocalAuthentication(store) : keystoneFrom(flags, log);
}

/** Throws InvalidFlags. */
function keystoneFrom(flags: Flags, log: Log): KeystoneAuthentication {
  const service = IdentityService.from(flags);
  for (const { message, hint } of keystoneWarnings(flags)) log.warn(message, { hint });
  const maxAgeMs = flags.keystone_cache_time * 1000;
  const maxAbsentAgeMs = Math.min(maxAgeMs, invalidAgeMs);
  return new KeystoneAuthentication({
    service,
    log,
    cache: { maxAgeMs, maxAbsentAgeMs, maxTokens: flags.keystone_cache_tokens },
  });
}
