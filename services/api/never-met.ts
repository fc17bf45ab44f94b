import { type Asked, demandsOf } from '../../lib/client/demands.ts';
import type { CapabilityName } from '../../lib/drivers/capabilities.ts';
import { asError, errors } from '../../lib/errors.ts';
import type { BackendState } from '../../lib/models/backend.ts';
import { unmetRequirement } from '../../lib/models/requirements.ts';
import type { Context } from './call.ts';

/** Backends whose reasons an error lists. */
const maxReasons = 10;

/** What a request asks of the backend of a volume. */
export interface AskedOfBackend extends Pick<Asked, 'type' | 'wantedZone' | 'isMultiattach'> {
  /** What its driver must be able to do. */
  needs?: CapabilityName | undefined;
  /** The one node, or `node@backend`, that it can have. */
  at?: string | undefined;
}

/**
 * Returns the error of a request that found no backend: where no backend of the cluster is what it asks for, also of nodes that are down, it
 * is a mistake in the request, and no later one succeeds.
 */
export async function refusalOf(
  { cluster, view }: Pick<Context, 'cluster' | 'view'>,
  { needs, at, ...asked }: AskedOfBackend,
  thrown: unknown,
): Promise<unknown> {
  if (asError(thrown).code !== 'NoUsableBackend') return thrown;
  const { nodes, unreadable, isComplete } = await view.nodes();
  if (!isComplete || unreadable.length > 0) return thrown;
  const { requirements = {}, zone = '' } = (await demandsOf(cluster.store, { ...asked, apartFrom: [] })) ?? {};
  const unmet = (backend: BackendState) =>
    unmetRequirement(requirements, backend) ??
    (zone === '' ? undefined : unmetRequirement({ zone }, backend)) ??
    (needs === undefined ? undefined : unmetRequirement({ [needs]: 'yes' }, backend));
  const backends = nodes
    .flatMap((node) => node.backends)
    .filter(({ id, node }) => at === undefined || id === at || node === at);
  const reasons = backends.flatMap((backend) => {
    const reason = unmet(backend);
    return reason === undefined ? [] : [`${backend.id}: ${reason}`];
  });
  if (backends.length === 0 || reasons.length < backends.length) return thrown;
  const more = reasons.length > maxReasons ? [`and ${reasons.length - maxReasons} more`] : [];
  return errors.requirementsNotMet([...reasons.slice(0, maxReasons), ...more]);
}
