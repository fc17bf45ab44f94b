import { type BackendState, parsePlace } from '../models/backend.ts';
import { unmetRequirement } from '../models/requirements.ts';
import type { CapabilityName } from '../drivers/capabilities.ts';
import type { Demands } from './demands.ts';

/** A reason against a backend, or against a node that is not up. */
export interface Reason {
  kind: 'down' | 'not yet' | 'problem' | 'unsuitable' | 'neighbour' | 'attached' | 'closed' | 'full' | 'tried';
  text: string;
}

/** By the backends and nodes that they are against. */
export type Reasons = ReadonlyMap<string, Reason>;

export const down: Reason = { kind: 'down', text: 'down' };
/** A backend without a problem: its node compares records and storage. */
export const notYet: Reason = { kind: 'not yet', text: 'takes no volumes now' };
export const allocatedMeanwhile: Reason = { kind: 'full', text: 'its free space was allocated meanwhile' };
const closed: Reason = { kind: 'closed', text: 'takes no further volumes: its node is being drained' };

/** What a backend must have and be. */
export interface AskedOfBackend {
  requestedBytes: number;
  /** By a volume that it has already. */
  grows?: boolean;
  tried?: readonly string[];
  needs?: CapabilityName;
  /** The identity of storage that several nodes reach, which the volume is to leave. */
  leaves?: string;
  demands?: Demands | undefined;
}

/** Returns why a backend cannot take a volume, or undefined. */
export function reasonAgainst(
  backend: BackendState,
  isUp: boolean,
  { requestedBytes, tried = [], needs, leaves = '', demands, grows = false }: AskedOfBackend,
): Reason | undefined {
  if (!isUp) return down;
  if (needs !== undefined && !backend.capabilities.includes(needs)) {
    return { kind: 'unsuitable', text: `its driver ${backend.driver} has no ${needs}` };
  }
  if (leaves !== '' && backend.shared === leaves)
    return { kind: 'unsuitable', text: 'its data are on this storage already' };
  const unmet = demands && unmetDemand(demands, backend);
  if (unmet) return unmet;
  if (tried.includes(backend.id)) return { kind: 'tried', text: 'could not create it' };
  if (backend.isClosed && !grows) return closed;
  if (!backend.accepting) return backend.problem ? { kind: 'problem', text: backend.problem } : notYet;
  if (freeSpaceOf(backend) < requestedBytes) return { kind: 'full', text: `${gib(freeSpaceOf(backend))} GiB free` };
  return undefined;
}

function unmetDemand({ requirements, zone, apart, attached }: Demands, backend: BackendState): Reason | undefined {
  const unmet =
    unmetRequirement(requirements, backend) ?? (zone === '' ? undefined : unmetRequirement({ zone }, backend));
  if (unmet !== undefined) return { kind: 'unsuitable', text: unmet };
  const neighbour = apart.get(backend.node);
  if (neighbour !== undefined) return { kind: 'neighbour', text: `its node has volume ${neighbour}` };
  if (attached === undefined || attached.target === backend.target) return undefined;
  return {
    kind: 'attached',
    text: `its target is ${backend.target}, and the attached volume needs ${attached.target}`,
  };
}

export function freeSpaceOf({ capacityBytes, allocatedBytes }: BackendState): number {
  return Math.max(0, capacityBytes - allocatedBytes);
}

export function areAll(reasons: Reasons, ...kinds: readonly Reason['kind'][]): boolean {
  return [...reasons.values()].every(({ kind }) => kinds.includes(kind));
}

/** Returns what can be done, in the imperative, one part for each kind of reason; none against a lack of space. */
export function remediesOf(reasons: Reasons, { attached }: Pick<Demands, 'attached'>): string[] {
  const kinds = new Set(Array.from(reasons.values(), ({ kind }) => kind));
  const [closedBackend] = [...reasons].find(([, { kind }]) => kind === 'closed') ?? [];
  return [
    ...(attached !== undefined && kinds.has('attached')
      ? [
          `detach it first: blockstore volume detach ${attached.volume}; or name a backend with target ${attached.target}`,
        ]
      : []),
    ...(closedBackend === undefined
      ? []
      : [`to have a node take volumes again: blockstore node open ${parsePlace(closedBackend).node}`]),
    ...(kinds.has('unsuitable') ? ['ask for another type, zone or backend, or add a backend that has all of it'] : []),
    ...(kinds.has('neighbour') ? ['add another node'] : []),
    ...(kinds.has('problem') || kinds.has('down')
      ? ['fix what the message names ("blockstore status" lists the problems of all nodes), or add a node']
      : []),
  ];
}

function gib(bytes: number): number {
  return Math.floor((bytes / 2 ** 30) * 100) / 100;
}
