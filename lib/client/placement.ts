import type { Demands } from './demands.ts';
import type { CapabilityName } from '../drivers/capabilities.ts';
import { type BlockstoreError, errors } from '../errors.ts';
import { type BackendState, backendsOf, parsePlace, placeText } from '../models/backend.ts';
import { lookupNode } from '../models/node.ts';
import { pairsOf } from '../redis/pairs.ts';
import { type ChangeSet, type Condition, type Outcome, commit, hideBackend } from '../redis/scripts.ts';
import type { Store } from '../redis/store.ts';
import { sizeInBytes } from '../volume-size.ts';
import {
  type AskedOfBackend,
  type Reason,
  allocatedMeanwhile,
  areAll,
  down,
  freeSpaceOf,
  notYet,
  reasonAgainst,
  remediesOf,
} from './placement-reasons.ts';

/** What a volume asks of the backend that it is placed on. */
export interface PlacementRequest {
  /** GiB; 0: 100 MiB. */
  size: number;
  /** The one node, backend or pool that it may be placed on: see parsePlace(). */
  node?: string;
  /** Backends that were tried already, as `node@backend`. */
  tried?: readonly string[];
  /** What its driver must be able to do. */
  needs?: CapabilityName;
  /** The identity of storage that several nodes reach, which the volume is to leave. */
  leaves?: string;
  demands?: Demands | undefined;
  /** Candidates that earlier requests of the same process have read. */
  recent?: RecentCandidates;
}

/** Backends that are read at once, best first: each page has twice as many as the one before, up to a bound. */
const firstPageSize = 32;
const maxPageSize = 256;
/** Backends that are read at most: beyond them, what has less free space is not better. */
const maxRead = 256;
/** The same for a request that demands more than space: few may meet that, and these need not be among the largest. */
const maxReadOfDemands = 2048;
/** Change sets that are tried before placement gives up. */
const maxAttempts = 16;
/** Backends whose reasons an error lists. */
const maxReasons = 10;

/** How long candidates are used without being read again, in milliseconds: the change set itself checks the free space. */
const maxAgeMs = 2000;

/** Requests of different kinds whose candidates are kept. */
const maxKept = 64;

/** The best candidates as they were read last, by what was asked of them. */
export class RecentCandidates {
  private readonly kept = new Map<string, { backends: readonly BackendState[]; readAt: number }>();

  get(asked: AskedOfBackend): readonly BackendState[] {
    const { backends = [], readAt = -Infinity } = this.kept.get(kindOf(asked)) ?? {};
    return performance.now() - readAt < maxAgeMs ? backends : [];
  }

  note(asked: AskedOfBackend, backends: readonly BackendState[]): void {
    const kind = kindOf(asked);
    this.kept.delete(kind);
    this.kept.set(kind, { backends, readAt: performance.now() });
    const [oldest] = this.kept.keys();
    if (this.kept.size > maxKept && oldest !== undefined) this.kept.delete(oldest);
  }

  /** One of them could not take a volume. */
  drop(): void {
    this.kept.clear();
  }
}

function kindOf({ needs, demands }: AskedOfBackend): string {
  return JSON.stringify([needs ?? '', demands?.requirements ?? {}, demands?.zone ?? '']);
}

export type Placed = { backend: BackendState; outcome: Extract<Outcome, { word: 'ok' }> };

/**
 * Chooses a backend and commits the change set that `changeFor` makes for it, with the conditions that its node is up and that the
 * backend has free space, so that racing requests never overcommit; where a condition fails the next candidate is tried.
 * Returns where the volume was placed, or the outcome that is about the record and not about the backend, which includes a condition of
 * the change set itself.
 * Throws NoNodeUp, NodeNotFound, NodeDown, BackendNotFound, NoSpace, NoUsableBackend, BackendUnavailable.
 */
export async function place(
  store: Store,
  request: PlacementRequest,
  changeFor: (backend: BackendState) => ChangeSet,
): Promise<Placed | Exclude<Outcome, { word: 'ok' }>> {
  const reasons = new Map<string, Reason>();
  const asked = askedBy(request);
  let attempts = 0;
  for await (const candidates of pages(store, request, reasons)) {
    for (const backend of byWeight(candidates)) {
      if (attempts === maxAttempts) break;
      attempts += 1;
      const change = changeFor(backend);
      const conditions: Condition[] = [
        { is: 'up', node: backend.node },
        { is: 'freeSpace', backend: backend.id, bytes: sizeInBytes(request.size) },
      ];
      const outcome = await commit(store, { ...change, conditions: [...conditions, ...(change.conditions ?? [])] });
      if (outcome.word === 'ok') return { backend, outcome };
      if (outcome.word !== 'condition' || !conditions.includes(outcome.condition)) return outcome;
      request.recent?.drop();
      if (outcome.condition.is === 'up') await hideBackend(store, backend.id, backend.node);
      reasons.set(backend.id, outcome.condition.is === 'up' ? down : await reasonNow(store, backend.id, asked));
    }
    if (attempts === maxAttempts) break;
  }
  throw await refusal(store, request, reasons);
}

/** Pages of backends that may take the volume; the others have their reason in `reasons`. */
async function* pages(
  store: Store,
  request: PlacementRequest,
  reasons: Map<string, Reason>,
): AsyncGenerator<BackendState[]> {
  const { node, demands, recent } = request;
  const asked = askedBy(request);
  const { requestedBytes } = asked;
  const suitable = (backends: readonly Candidate[]) =>
    backends.flatMap(({ backend, isUp }) => {
      const reason = reasonAgainst(backend, isUp, asked);
      if (reason === undefined) return [backend];
      reasons.set(backend.id, reason);
      return [];
    });
  if (node !== undefined) {
    yield suitable((await namedBackends(store, node)).map((backend) => ({ backend, isUp: true })));
    return;
  }
  const known = (recent?.get(asked) ?? []).filter((backend) => !reasonAgainst(backend, true, asked));
  if (known.length > 0) yield byWeight(known).slice(0, 1);
  let isNoted = false;
  for (let first = 0, size = firstPageSize; first < (demands === undefined ? maxRead : maxReadOfDemands); ) {
    const range = [String(first), String(first + size - 1)] as const;
    const entries = pairsOf(
      await store.read((redis) => redis.zrange(store.keys.freeSpace(), ...range, 'REV', 'WITHSCORES')),
    );
    const sufficient = entries.filter(([, bytes]) => Number(bytes) >= requestedBytes);
    // Where none has enough, the first ones give the reasons.
    const read = sufficient.length > 0 || reasons.size > 0 ? sufficient : entries.slice(0, maxReasons);
    const candidates = await readCandidates(
      store,
      read.map(([id]) => id),
    );
    for (const { backend, isUp } of candidates) if (!isUp) await hideBackend(store, backend.id, backend.node);
    const found = suitable(candidates);
    if (!isNoted && found.length > 0) {
      recent?.note(asked, found);
      isNoted = true;
    }
    if (found.length > 0) yield found;
    if (sufficient.length < size) return;
    first += size;
    size = Math.min(2 * size, maxPageSize);
  }
}

/** Returns the backends of a place that a request names. Throws InvalidArgument, NodeNotFound, NodeDown, BackendNotFound. */
async function namedBackends(store: Store, text: string): Promise<BackendState[]> {
  const requested = parsePlace(text);
  const { backends, state } = await lookupNode(store, requested.node);
  if (state !== 'up') throw errors.nodeDown(requested.node);
  const named = backends.filter(
    ({ name, pool }) => (requested.backend ?? name) === name && (requested.pool ?? pool) === pool,
  );
  if (named.length > 0 || requested.backend === undefined) return named;
  const known = backends.map(({ id, pool }) => placeText(id, pool));
  throw errors.noBackend(text, known);
}

interface Candidate {
  backend: BackendState;
  isUp: boolean;
}

/** Returns backends by their ids, `node@backend`, and whether their nodes are up. */
export async function readCandidates(store: Store, ids: readonly string[]): Promise<Candidate[]> {
  const { states } = await backendsOf(store).readAll(ids);
  const up = await store.read((redis) => Promise.all(states.map(({ node }) => redis.pttl(store.keys.lease(node)))));
  return states.map((backend, index) => ({ backend, isUp: (up[index] ?? -1) >= 0 }));
}

function askedBy({ size, ...request }: PlacementRequest): AskedOfBackend {
  return { requestedBytes: sizeInBytes(size), ...request };
}

/** Of a backend that could not take the volume: it may have changed since it was read. */
async function reasonNow(store: Store, id: string, asked: AskedOfBackend): Promise<Reason> {
  const [found] = await readCandidates(store, [id]);
  return (found && reasonAgainst(found.backend, found.isUp, asked)) ?? allocatedMeanwhile;
}

/** The order in which candidates are tried: by chance, weighted by free space, so that racing requests spread. */
function byWeight(backends: readonly BackendState[]): BackendState[] {
  return backends
    .map((backend) => ({ backend, rank: Math.random() ** (1 / Math.max(1, freeSpaceOf(backend) / 2 ** 30)) }))
    .toSorted((one, other) => other.rank - one.rank)
    .map(({ backend }) => backend);
}

async function refusal(
  store: Store,
  request: PlacementRequest,
  reasons: Map<string, Reason>,
): Promise<BlockstoreError> {
  const { node } = request;
  const asked = askedBy(request);
  if (node === undefined && reasons.size < maxReasons) {
    // Backends that accept no volumes are not among those that were looked at: the first nodes of all say why.
    const names = await store.read((redis) => redis.zrange(store.keys.nodes(), '0', String(maxReasons - 1)));
    const nodes = await Promise.all(names.map((name) => lookupNode(store, name).catch(() => undefined)));
    if (!nodes.some((one) => one?.state === 'up') && areAll(reasons, 'down')) return errors.noNodeUp();
    for (const one of nodes) {
      const isKnown = one?.backends.some(({ id }) => reasons.has(id)) ?? true;
      if (one && one.state !== 'up' && !isKnown) reasons.set(one.id, { kind: 'down', text: one.state });
      for (const backend of one?.state === 'up' ? one.backends : []) {
        if (reasons.has(backend.id)) continue;
        reasons.set(backend.id, reasonAgainst(backend, true, { ...asked, tried: [] }) ?? notYet);
      }
    }
  }
  // Also where a node has come up since: nothing is full.
  if (reasons.size > 0 && areAll(reasons, 'down'))
    return node === undefined ? errors.noNodeUp() : errors.nodeDown(node);
  const shown = [...reasons].slice(0, maxReasons).map(([host, { text }]) => `${host}: ${text}`);
  if (reasons.size > maxReasons) shown.push(`and ${reasons.size - maxReasons} more`);
  if (reasons.size > 0 && areAll(reasons, 'down', 'not yet')) return errors.noBackendAccepts(shown);
  const remedies = remediesOf(reasons, request.demands ?? {});
  const isForSpace = [...reasons.values()].some(({ kind }) => kind === 'full' || kind === 'tried');
  if (reasons.size > 0 && !isForSpace) return errors.noUsableBackend(shown, remedies);
  return errors.noFreeSpace(node, asked.requestedBytes, shown, remedies);
}

/** Why a backend cannot give a volume of its own so many bytes more. */
export async function cannotGrow(
  store: Store,
  { backend: id, bytes }: { backend: string; bytes: number },
): Promise<BlockstoreError> {
  const reason = await reasonNow(store, id, { requestedBytes: bytes, grows: true });
  const { kind, text } = reason;
  if (kind === 'full') return errors.noFreeSpace(id, bytes, [text]);
  if (kind !== 'problem') return errors.noBackendAccepts([`${id}: ${text}`]);
  return errors.noUsableBackend([`${id}: ${text}`], remediesOf(new Map([[id, reason]]), {}));
}
